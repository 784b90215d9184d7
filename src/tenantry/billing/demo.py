"""What the stand-in payment provider and ours for it both know. It works on this machine only, and moves no money."""

# Fixed and public: the stand-in is asked on loopback only, in development only.
DEMO_KEY = "fake-key-not-for-production"
DEMO_WEBHOOK_SECRET = "fake-webhook-secret-not-for-production"  # noqa: S105 - public on purpose, see above
