"""What is done with users, the ways they sign in, and their sessions: one file a subject.

Every way of signing in ends in `admission.admit`; nothing else starts a session.
"""
