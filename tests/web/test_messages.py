"""`scripts/messages.py`, and that German is complete for this room."""

import importlib.util
import shutil
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "messages.py"


@pytest.fixture
def messages(tmp_path: Path):
    """The script, pointed at a small package of its own."""
    spec = importlib.util.spec_from_file_location("messages_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = tmp_path / "src" / "shop"
    (source / "room" / "templates").mkdir(parents=True)
    (source / "room" / "texts.py").write_text(
        "class Gone(Problem):\n"
        '    """It is gone.\n\n    More for developers.\n    """\n\n'
        '    code, status = "shop.gone", 410\n\n\n'
        'class Other(Base):\n    """Not a problem."""\n\n\n'
        'def show(_):\n    return _("One"), _.plural("%(num)d key", "%(num)d keys", 2), mark("Keys")\n'
    )
    (source / "room" / "templates" / "page.html").write_text(
        '{{ _("Two") }}{% trans %}Hello {{ name }}{% endtrans %}'
        "{% trans n=3 %}a thing{% pluralize %}{{ n }} things{% endtrans %}"
    )
    (source / "room" / "page.html").write_text('{{ _("not a template") }}')
    module.ROOT, module.SOURCE, module.LOCALE = tmp_path, source, source / "locale"
    module.TEMPLATE = module.LOCALE / "tenantry.pot"
    return module


def ids(catalog):
    return {message.id if isinstance(message.id, str) else message.id[0] for message in catalog if message.id}


def test_texts_of_code_templates_and_problems_are_found(messages):
    found = ids(messages.collect(messages.SOURCE))
    assert found == {"One", "%(num)d key", "Keys", "It is gone.", "Two", "Hello %(name)s", "a thing"}


def test_check_fails_until_the_catalogues_are_updated(messages, capsys):
    assert messages.main(["--check"]) == 1
    assert "missing 'Two'" in capsys.readouterr().err
    assert messages.main([]) == 0
    assert messages.main(["--check"]) == 0


def test_check_fails_for_a_language_that_lacks_a_text(messages, capsys):
    path = messages.LOCALE / "de" / "LC_MESSAGES" / "tenantry.po"
    messages.main([])
    path.parent.mkdir(parents=True)
    path.write_text('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Two"\nmsgstr "Zwei"\n')
    assert messages.main(["--check"]) == 1
    messages.main([])
    assert messages.main(["--check"]) == 0
    assert "de: 6 of 7 texts not translated" in capsys.readouterr().out
    assert 'msgstr "Zwei"' in path.read_text()


def test_an_update_without_new_texts_changes_no_byte(messages):
    messages.main([])
    before = messages.TEMPLATE.read_bytes()
    messages.main([])
    assert messages.TEMPLATE.read_bytes() == before


def test_a_template_that_cannot_be_read_is_an_error(messages):
    (messages.SOURCE / "room" / "templates" / "broken.html").write_text("{% if %}")
    with pytest.raises(Exception, match="Expected an expression"):
        messages.collect(messages.SOURCE)


def test_german_is_complete_for_this_room(messages, tmp_path):
    web = SCRIPT.parents[1] / "src" / "tenantry" / "web"
    shutil.copytree(web, tmp_path / "web")
    wanted = messages.collect(tmp_path / "web")
    german = messages._read(web / "locale" / "de" / "LC_MESSAGES" / "tenantry.po")
    untranslated = set(messages._open(german))
    known = {message.id for message in german}
    missing = [
        message.id for message in wanted if message.id and (message.id not in known or message.id in untranslated)
    ]
    assert missing == []
