"""What identity plugs in."""

from collections.abc import Sequence

from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export
from tenantry.kernel.notices import tell

from . import api, pages, queries
from .actions.revoking import REVOKE
from .checks import check_sign_in
from .events import UserBanLifted, UserDeletion, UserProven, UserWasBanned
from .jobs import FORGET_SESSIONS, FORGET_TOKENS
from .operating import ADMINISTER
from .resolving import resolve_session


async def _user(ctx: Context) -> queries.users.User | None:
    return await queries.users.by_id(ctx.db, ctx.user_id)


async def _accounts(ctx: Context) -> Sequence[queries.accounts.Account]:
    return await queries.accounts.of_user(ctx.db, ctx.user_id)


async def _sessions(ctx: Context) -> Sequence[queries.sessions.Session]:
    return await queries.sessions.of_user(ctx.db, ctx.user_id, limit=1000)


async def _tell(ctx: Context, event: UserWasBanned | UserBanLifted | UserDeletion | UserProven) -> None:
    await tell(ctx, "user", event.user_id)


MODULE = Module(
    "identity",
    routers=api.ROUTERS,
    pages=pages.ROUTERS,
    panels=pages.PANELS,
    permissions=[ADMINISTER],
    resolvers=[resolve_session],
    handlers=dict.fromkeys((UserWasBanned, UserBanLifted, UserDeletion, UserProven), _tell),
    jobs=[FORGET_SESSIONS, FORGET_TOKENS, REVOKE],
    checks=[check_sign_in],
    exports=[Export("user", _user), Export("accounts", _accounts), Export("sessions", _sessions)],
    public={
        "GET /signin": "who wants to sign in is not signed in yet",
        "GET /auth/{provider}/start": "begins a sign-in; the sealed cookie it sets ties the rest to this browser",
        "GET /auth/{provider}/callback": "ends a sign-in that the same browser began",
        "GET /auth/verify": "shows what a mailed link is for; the token in it is the proof",
        "POST /auth/verify": "does what a mailed link is for",
        "GET /auth/sent": "tells the browser that asked that a mail is on its way; its sealed cookie says for what",
        "POST /auth/sent": "takes the code of that mail from the browser that asked for it",
        "GET /auth/link-account": "tells who must sign in first that an account waits; its cookie's token is the proof",
        "GET /v1/auth/link-account": "the same for apps",
        "GET /auth/second-factor": "asks for the second half of a sign-in; its cookie proves the first",
        "POST /auth/second-factor": "takes it",
        "POST /v1/auth/second-factor": "the same for apps",
        "POST /auth/password": "who wants to sign in is not signed in yet; the password is the proof",
        "POST /v1/auth/password": "the same for apps",
        "GET /auth/reset": "who has forgotten their password is not signed in",
        "POST /auth/reset": "asks for the mail; the answer is the same whoever has the address",
        "POST /v1/auth/reset": "the same for apps",
        "POST /v1/auth/reset/confirm": "sets the new password; the mail's token or code is the proof",
        "POST /auth/magic-link": "asks for a mail that signs in; the answer is the same whoever has the address",
        "GET /signup": "who wants an account has none yet",
        "POST /signup": "asks for the mail that makes it",
        "POST /v1/auth/magic-link": "the same for apps as the page of that name",
        "POST /v1/auth/magic-link/confirm": "ends that sign-in; the mail's token or code is the proof",
        "POST /v1/auth/sign-up": "the same for apps as the page of that name",
        "POST /v1/auth/sign-up/confirm": "ends that sign-up; the mail's token or code is the proof",
        "GET /v1/auth/ways": "who is about to sign in is not signed in yet",
        "POST /auth/passkey": "who wants to sign in is not signed in yet; the passkey is the proof",
        "POST /v1/auth/passkey/options": "begins that sign-in; the answer is the same for everybody",
        "POST /v1/auth/passkey": "the same for apps as the page of that name",
        "POST /auth/second-factor/passkey": "takes a passkey as the second half of a sign-in",
        "POST /v1/auth/second-factor/passkey/options": "asks for it; the half's token proves the first",
        "POST /v1/auth/second-factor/passkey": "the same for apps as the page of that name",
        "POST /v1/auth/sign-out": "the same for apps as POST /auth/signout",
        "POST /v1/auth/email/confirm": "the mailed token is the proof, in whatever app or browser it is opened",
        "POST /v1/auth/email/approve": "the same for the address that is given up",
        "POST /v1/auth/email/decline": "the same, to say no",
        "POST /auth/impersonation/end": "gives an operator their own session back, also where the other one has ended",
        "POST /auth/signout": "works without a session too, so that an old page's button does no harm",
    },
    service={
        "find_half": "reads whose half of a sign-in a token is, which only the service login sees",
        "forget_factors": "takes away, for the command line, what only its owner or the service login may delete",
        "count_factor": "writes to an owner who is not signed in that somebody guesses",
        "pass_second_factor": "uses up the half and the second proof, and writes the session",
        "confirming": "compares secrets that only the service login sees, and gives the session another token",
        "begin_totp": "writes a sealed secret, which the API login may not",
        "pending_totp": "reads it, to show it to its owner again",
        "confirm_totp": "the same, and writes recovery codes",
        "remove_totp": "deletes secrets and codes, which the API login may not",
        "draw_use": "counts what is left of somebody who is not signed in yet",
        "replace_codes": "writes recovery codes, which the API login may not",
        "resolve_session": "looks a session up by its token's hash, which nobody else may read",
        "finish_sign_in": "knows or registers a person who is nobody here yet, and writes the session",
        "finish_connect": "writes an account for who is signed in on both sides; nobody may write their own",
        "read_link": "reads what a token stands for, which only the service login sees",
        "confirm_link": "uses that token up and writes the account",
        "sign_in_with_password": "reads the hash to compare with, which only the service login sees",
        "set_password": "writes that hash, and gives the session another token",
        "remove_password": "looks at every way in before it takes this one away",
        "has_password": "looks whether there is one; the API login does not see passwords",
        "read_reset": "reads what a token stands for, which only the service login sees",
        "reset_password": "acts for whom a mailed token stands for, who is not signed in",
        "disconnect": "looks at every way in, passwords too, before it takes one away",
        "grant_plan": "an operator writes somebody's plan, which the API login may not",
        "revoking": "looks whether an account was connected anew, whoever has it",
        "provider_tokens": "reads and refreshes sealed tokens, which the API login does not see",
        "ask_address_change": "looks for who has the new address, and writes the tokens that both addresses get",
        "read_address_link": "reads what a token stands for, which only the service login sees",
        "agree_to_address": "acts for whom a mailed token stands for, signed in or not; only it writes an address",
        "decline_address_change": "the same for the one who says no",
        "look_up": "looks for who has an address, to write to them",
        "send_mailing": "writes tokens, and mails to people who are not signed in",
        "count_shown": "looks whose code is tried, to count it at that address",
        "read_mailed": "reads what a mailed token stands for, to say so before it is used",
        "sign_in_by_link": "uses up a mailed token, and knows or registers whoever has its address",
        "sign_up_by_mail": "uses up a mailed token, and writes the account it stands for",
        "ask_proof": "writes a challenge, also for people who are not signed in",
        "prove": "uses that challenge up, and looks for whose passkey it is",
        "use_challenge": "uses a challenge up, which only the service login sees",
        "begin_passkey": "writes a challenge",
        "add_passkey": "writes a passkey, which the API login may not",
        "remove_passkey": "looks at every way in before it takes this one away",
        "sign_in_with_passkey": "notes the use of a passkey, and writes the session",
        "impersonating": "writes and ends a session that is another's, which the API login may not",
        "operators": "operators work on people who are not themselves",
        "revoke_session": "an operator's look is ended, not deleted, which the API login may not",
        "revoke_sessions": "the same for all of them, or all others",
        "end_session": "the same, by the button of the settings",
        "end_other_sessions": "the same, by the button of the settings",
        "end_all_sessions": "the same, by the button of the settings",
        "sign_out": "ends the session of a token, which the API login cannot look for",
    },
)
