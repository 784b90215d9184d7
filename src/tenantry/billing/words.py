"""What a subscription's state is called towards the outside: a pure function of it and the product's words."""

from tenantry.product import StatusWords

from .rows import Subscription


def word_of(words: StatusWords, subscription: Subscription) -> str:
    """The product's word for the state.

    In trial or active with an end that is decided is `scheduled`: paid, in force, and not renewed. A payment that
    failed goes before that, since something is to be done about it.
    """
    if subscription.cancel_at is not None and subscription.status in {"trialing", "active"}:
        return words.scheduled
    word: str = getattr(words, subscription.status)
    return word
