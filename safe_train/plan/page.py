"""Page: the launch checklist as one HTML file, which needs no scripts and no network."""

from importlib.resources import files
from pathlib import Path

from safe_data.core.errors import require_extra
from safe_data.core.files import write_bytes
from safe_data.core.only_writer import only_writer
from safe_train.plan.checklist import CHECKLIST, Checklist, checklist_of, write_checklist
from safe_train.plan.plan_file import write_plan
from safe_train.plan.plan_text import SMALL_WORLD, checklist_markdown
from safe_train.plan.run import PlanRun, latest

PAGE, MARKDOWN = "checklist.html", "checklist.md"
CLASSES = {"go": "good", "no-go": "bad", "not measured": "unknown"}
RAISED = {True: ("raised", "bad"), False: ("not raised", "good"), None: ("not known", "unknown")}


def write_page(run: PlanRun, out: Path) -> tuple[Checklist, list[Path]]:
    """Write what a run of a plan shows as JSON, Markdown and HTML; return it and the files.

    It shows what other runs have finished by now, too. The plan is written beside it once more, as another
    plan may have used the folder since.

    Raises:
        InputError: the extra `report` is not installed, or the disk is full.
    """
    with only_writer(out / CHECKLIST, waits=True):
        found = checklist_of(latest(run, out))
        write_plan(run.plan, out)
        written = [
            write_checklist(found, out),
            write_bytes(out / MARKDOWN, checklist_markdown(found).encode()),
            write_bytes(out / PAGE, page_html(found).encode()),
        ]
    return found, written


def page_html(found: Checklist) -> str:
    """The page as text.

    Raises:
        InputError: the extra `report` is not installed.
    """
    require_extra("the checklist's page", "report", "jinja2", "markupsafe")
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_resource("page.html.j2"))
    text = template.render(
        style=Markup(_resource("page.css")),  # noqa: S704 - our own file
        found=found,
        classes=CLASSES,
        raised=RAISED,
        small_world=SMALL_WORLD if found.world else None,
        number=number,
    )
    return text + "\n"


def number(value: float | None) -> str:
    """A number of a finding in four digits, and a whole number in all of its digits.

    >>> number(0.123456), number(174976.0), number(None)
    ('0.1235', '174,976', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def _resource(name: str) -> str:
    return (files("safe_train.plan") / name).read_text(encoding="utf-8")
