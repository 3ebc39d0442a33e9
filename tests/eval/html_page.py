"""A page as a browser would take it: its tags, its text, and what it would fetch or run."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "wbr"}
OURS = set(
    re.findall(
        r"\w+",
        """html head meta title style body main header footer nav section article div span p h1 h2 h3 a
        strong b code wbr ul li dl dt dd table caption thead tbody tr th td details
        summary figure figcaption img audio
        svg g path line text""",
    )
)


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes, self.words = text, set(), [], []
        self.open: list[str] = []
        self.joins = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.joins = tag == "wbr"
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if "style" in self.open:
            return
        if self.joins and self.words:  # a word that may break is still one word
            self.words[-1] += data
        else:
            self.words.append(data)
        self.joins = False

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def external(text: str) -> list[str]:
    """What a browser would fetch or run: other than data, fragments, and our one style sheet."""
    found = []
    for tag, name, value in Page(text).attributes:
        if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"):
            found += [value] if not value.startswith(("data:image/", "data:audio/", "#")) else []
        if name == "style" or name.startswith("on"):
            found.append(f"{tag} {name}={value}")
        found += re.findall(r"url\((?!#)[^)]*\)", value)
    style = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    return found + re.findall(r"@import[^;]*|url\([^)]*\)", style) + re.findall(r"<script[^>]*>", text)
