"""`tenantry keys`: keys that only an operator makes."""

import json

from tenantry.keys.secrets import is_secret

PERSON = "ada@example.com"


def test_an_operator_makes_a_key_that_asks_about_others(settings, tenantry):
    for command in (("db", "migrate"), ("seed", "screening_api")):
        assert tenantry(*command, **settings).status == 0
    made = tenantry("keys", "issue", PERSON, "screening_api", "--scope", "authorize", "--json", **settings)
    assert made.status == 0, made.err
    told = json.loads(made.out)
    assert is_secret(told["secret"])
    assert told["scopes"] == ["authorize"]
    plain = tenantry("keys", "issue", PERSON, "screening_api", **settings)
    assert is_secret(plain.out.strip())
    assert plain.out.strip() not in plain.err


def test_whoever_cannot_have_one_is_told_why(settings, tenantry):
    for command in (("db", "migrate"), ("seed", "screening_api")):
        assert tenantry(*command, **settings).status == 0
    for arguments, sentence in [
        (("nobody@example.com", "screening_api"), "Nobody has this address."),
        ((PERSON, "screening_api", "--scope", "fly"), "The product's scopes are list:read."),
        ((PERSON, "crypto_data"), "This product has no API keys."),
    ]:
        refused = tenantry("keys", "issue", *arguments, **settings)
        assert refused.status == 1
        assert sentence in refused.err
