"""Put the ranking of the example run between its marks in the README: the columns that answer the first question."""

import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
SHOWN = ("#", "scheme", "evaluations", "digits at optimal ε", "digits at usual ε", "flat decades")

lines = (HERE / "ranking.md").read_text("utf-8").splitlines()
rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines if line.startswith("|")]
places = [rows[0].index(header) for header in SHOWN]
table = ["| " + " | ".join(row[place] for place in places) + " |" for row in rows]
marked = re.compile(r"(<!-- ranking -->\n).*?(<!-- /ranking -->)", re.DOTALL)
text = README.read_text("utf-8")
text = marked.sub(lambda match: "\n".join([match[1] + lines[0], "", *table, "", match[2]]), text)
README.write_text(text, "utf-8")
