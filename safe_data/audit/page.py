"""Findings as one HTML file that needs no network; every value in it is escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

from safe_data.audit.findings import Finding, summary

TEMPLATE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}: {{ summary }}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; color: #222; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; }
  td { border-bottom: 1px solid #ddd; }
  .ok { color: #27632a; } .FAIL, .not.judged { color: #a11; font-weight: 600; } .warn { color: #8a5a00; }
  small, dd { color: #666; } li { overflow-wrap: anywhere; }
</style>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<table>
{% for finding in findings %}
{% if loop.first or finding.suite != findings[loop.index0 - 1].suite %}
<tr><th colspan="4"><h2>{{ finding.suite }}</h2></th></tr>
<tr><th></th><th>Expectation</th><th>Observed</th><th>Bound</th></tr>
{% endif %}
<tr>
  <td class="{{ finding.label }}">{{ finding.label }}</td>
  <td>{{ finding.description }}<br>
    <small>{{ finding.expectation }}({{ finding.columns | join(", ") }})</small>
  {% if finding.exception and not finding.success %}<p>{{ finding.exception }}</p>{% endif %}
  {% if finding.detail and not finding.success %}<p>{{ finding.detail }}</p>{% endif %}
  {% if finding.offenders and not finding.success %}<ul>
    {% for offender in finding.offenders %}
    <li>{{ offender.what }}: {{ offender.records | join(" = ") }}</li>
    {% endfor %}
  </ul>{% endif %}</td>
  <td>{{ finding.seen }}</td>
  <td>{{ finding.bound }}</td>
</tr>
{% endfor %}
</table>
<h2>Provenance</h2>
<dl>
{% for name, value in provenance.items() %}
<dt>{{ name }}</dt>
{% if value is mapping %}{% for part in value.items() %}<dd>{{ part | join(" ") }}</dd>{% endfor %}
{% else %}<dd>{{ value }}</dd>{% endif %}
{% endfor %}
</dl>
</html>
"""


def html_page(title: str, findings: Sequence[Finding], provenance: Mapping[str, Any]) -> str:
    """Fill in the page.

    Raises:
        ImportError: jinja2 is not installed (extra `report`).
    """
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE)
    return template.render(title=title, summary=summary(findings), findings=findings, provenance=provenance)
