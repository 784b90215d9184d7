"""Every route of an application with all rooms, by whom it lets in. Whoever adds one says here whom."""

PEOPLE = """
GET /auth/confirm
POST /auth/confirm
POST /auth/confirm/mail
POST /auth/confirm/passkey
POST /auth/link-account
GET /billing
POST /billing/checkout
POST /billing/portal
POST /billing/subscriptions/{subscription_id}/cancel
POST /billing/subscriptions/{subscription_id}/change
POST /billing/subscriptions/{subscription_id}/pause
POST /billing/subscriptions/{subscription_id}/resume
GET /billing/success
GET /credits
GET /dashboard
GET /dashboard/prices
POST /dashboard/prices
GET /keys
POST /keys
GET /keys/{key_id}
POST /keys/{key_id}/rename
POST /keys/{key_id}/revoke
POST /keys/{key_id}/rotate
GET /settings
POST /settings/accounts/{account_id}/disconnect
POST /settings/accounts/{provider}/connect
GET /settings/email
POST /settings/email
POST /settings/email/cancel
GET /settings/passkeys
POST /settings/passkeys
GET /settings/passkeys/{passkey_id}
POST /settings/passkeys/{passkey_id}
POST /settings/passkeys/{passkey_id}/remove
GET /settings/password
POST /settings/password
POST /settings/password/remove
POST /settings/profile
GET /settings/second-factor
GET /settings/second-factor/app
POST /settings/second-factor/app
POST /settings/second-factor/app/confirm
POST /settings/second-factor/app/remove
POST /settings/second-factor/codes
POST /settings/sessions/revoke-all
POST /settings/sessions/revoke-others
POST /settings/sessions/{session_id}/revoke
GET /trials
POST /trials
GET /trials/{trial_id}
POST /trials/{trial_id}/cancel
POST /trials/{trial_id}/convert
POST /trials/{trial_id}/extend
POST /trials/{trial_id}/keys
POST /trials/{trial_id}/keys/{key_id}/revoke
GET /usage
GET /v1/auth/confirm
POST /v1/auth/confirm
POST /v1/auth/confirm/mail
POST /v1/auth/confirm/passkey
POST /v1/auth/confirm/passkey/options
POST /v1/auth/link-account
POST /v1/checkout
GET /v1/credits/entries
GET /v1/credits/export.csv
GET /v1/keys
POST /v1/keys
DELETE /v1/keys/{key_id}
GET /v1/keys/{key_id}
PATCH /v1/keys/{key_id}
GET /v1/keys/{key_id}/calls
GET /v1/keys/{key_id}/calls.csv
POST /v1/keys/{key_id}/rotate
GET /v1/keys/{key_id}/stats
GET /v1/me
PATCH /v1/me
GET /v1/me/accounts
DELETE /v1/me/accounts/{account_id}
POST /v1/me/accounts/{provider}/connect
DELETE /v1/me/email
GET /v1/me/email
POST /v1/me/email
GET /v1/me/passkeys
POST /v1/me/passkeys
POST /v1/me/passkeys/options
DELETE /v1/me/passkeys/{passkey_id}
PATCH /v1/me/passkeys/{passkey_id}
DELETE /v1/me/password
PUT /v1/me/password
POST /v1/me/recovery-codes
GET /v1/me/second-factors
DELETE /v1/me/sessions
GET /v1/me/sessions
DELETE /v1/me/sessions/{session_id}
DELETE /v1/me/totp
POST /v1/me/totp
POST /v1/me/totp/confirm
GET /v1/me/usage
GET /v1/me/usage/export.csv
GET /v1/me/usage/{meter}/history
GET /v1/payments
POST /v1/portal
GET /v1/subscription
POST /v1/subscription/cancel
POST /v1/subscription/change
POST /v1/subscription/pause
POST /v1/subscription/resume
GET /v1/subscriptions
GET /v1/trials
POST /v1/trials
GET /v1/trials/{trial_id}
POST /v1/trials/{trial_id}/cancel
POST /v1/trials/{trial_id}/convert
POST /v1/trials/{trial_id}/extend
GET /v1/trials/{trial_id}/keys
POST /v1/trials/{trial_id}/keys
DELETE /v1/trials/{trial_id}/keys/{key_id}
"""
"""Only whoever has signed in."""
CALLERS = """
GET /v1/credits
POST /v1/credits/reservations
POST /v1/credits/reservations/{reservation_id}/release
POST /v1/credits/reservations/{reservation_id}/settle
POST /v1/credits/spend
GET /v1/prices/{symbol}
GET /v1/sources
GET /v1/work
POST /v1/work
"""
"""Whoever has signed in, and programs with a key."""
ANYONE = """
GET /
GET /auth/link-account
POST /auth/magic-link
POST /auth/passkey
POST /auth/password
GET /auth/reset
POST /auth/reset
GET /auth/second-factor
POST /auth/second-factor
POST /auth/second-factor/passkey
GET /auth/sent
POST /auth/sent
POST /auth/signout
GET /auth/verify
POST /auth/verify
GET /auth/{provider}/callback
GET /auth/{provider}/start
GET /design
GET /docs
GET /mailbox
GET /mailbox/{mail_id}
GET /mailbox/{mail_id}/html
GET /pricing
GET /problems
GET /signin
GET /signup
POST /signup
POST /v1/auth/email/approve
POST /v1/auth/email/confirm
POST /v1/auth/email/decline
GET /v1/auth/link-account
POST /v1/auth/magic-link
POST /v1/auth/magic-link/confirm
POST /v1/auth/passkey
POST /v1/auth/passkey/options
POST /v1/auth/password
POST /v1/auth/reset
POST /v1/auth/reset/confirm
POST /v1/auth/second-factor
POST /v1/auth/second-factor/passkey
POST /v1/auth/second-factor/passkey/options
POST /v1/auth/sign-out
POST /v1/auth/sign-up
POST /v1/auth/sign-up/confirm
GET /v1/auth/ways
GET /v1/products
POST /webhooks/{provider}
"""
"""Strangers too; who shows a key shows one that works."""
UNASKED = """
GET /favicon.ico
GET /healthz
GET /metrics
GET /openapi.json
POST /preferences
GET /readyz
GET /robots.txt
GET /static
"""
"""Nobody is asked who they are."""

TABLE = {
    door: who
    for who, these in (("people", PEOPLE), ("callers", CALLERS), ("anyone", ANYONE), ("", UNASKED))
    for door in these.split("\n")[1:-1]
}
"""Whom the dependencies of a route let in."""
