"""Put the table of the example run between the marks in the README."""

import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"

table = (HERE / "ranking.md").read_text("utf-8")
marked = re.compile(r"(<!-- ranking -->\n).*?(<!-- /ranking -->)", re.DOTALL)
README.write_text(
    marked.sub(lambda match: match[1] + "\n" + table + "\n" + match[2], README.read_text("utf-8")), "utf-8"
)
