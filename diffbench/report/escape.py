"""Texts from users' files as Markdown and LaTeX show them: as they are."""

import re
import unicodedata

from diffbench.errors import defused

MAX_WORD = 12
"""After so many characters of a word LaTeX may break the line, where there is a line to be broken."""

_SYMBOLS = r"""
α \alpha β \beta γ \gamma δ \delta ε \varepsilon ζ \zeta η \eta θ \theta ι \iota κ \kappa λ \lambda μ \mu ν \nu ξ \xi
π \pi ρ \rho ς \varsigma σ \sigma τ \tau υ \upsilon φ \varphi χ \chi ψ \psi ω \omega
Γ \Gamma Δ \Delta Θ \Theta Λ \Lambda Ξ \Xi Π \Pi Σ \Sigma Φ \Phi Ψ \Psi Ω \Omega
× \times · \cdot − - ± \pm ÷ \div ≤ \leq ≥ \geq ≠ \neq ≈ \approx ∞ \infty √ \surd ∂ \partial ∑ \sum ∫ \int ∈ \in
→ \rightarrow ′ ^{\prime} µ \mu ½ \frac{1}{2} ¬ \neg
⁰ ^{0} ¹ ^{1} ² ^{2} ³ ^{3} ⁴ ^{4} ⁵ ^{5} ⁶ ^{6} ⁷ ^{7} ⁸ ^{8} ⁹ ^{9} ⁻ ^{-} ⁺ ^{+}
₀ _{0} ₁ _{1} ₂ _{2} ₃ _{3} ₄ _{4} ₅ _{5} ₆ _{6} ₇ _{7} ₈ _{8} ₉ _{9}
"""
_SIGNS = r"""
\ \textbackslash{} & \& % \% $ \$ # \# _ \_ { \{ } \} ~ \textasciitilde{} ^ \textasciicircum{} ` \textasciigrave{}
' \textquotesingle{} " \textquotedbl{} < \textless{} > \textgreater{} | \textbar{} – -- — --- … \ldots{}
’ \textquoteright{} ‘ \textquoteleft{} “ \textquotedblleft{} ” \textquotedblright{} § \S{} ° \textdegree{}
ł \l{} Ł \L{} œ \oe{} Œ \OE{} ı \i{}
"""


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_LATEX = _pairs(_SIGNS) | {symbol: f"${command}$" for symbol, command in _pairs(_SYMBOLS).items()}
_OWN = frozenset("ÆØÐÞßæøðþ")
"""Letters beyond ASCII that are no letter with an accent and that every font of LaTeX has."""

_ACCENTS = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328",
        ("`", "'", "^", "~", "=", "u", ".", '"', "r", "H", "v", "c", "k"),
        strict=True,
    )
)


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is, in one line; what its fonts do not have, by its number in Unicode."""
    shown = "".join(_latex_character(character) for character in " ".join(text.split()))
    return re.sub(r"([-,])(?=\1)", r"\1{}", shown)  # else two of them become one


def breakable(text: str) -> str:
    """Return an escaped text whose long words LaTeX may break where a line ends."""
    words = (
        r"\allowbreak{}".join(escape_latex(word[i : i + MAX_WORD]) for i in range(0, len(word), MAX_WORD))
        for word in text.split()
    )
    return " ".join(words)


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if " " <= character <= "~" or character in _OWN:
        return character
    letter, *marks = list(unicodedata.normalize("NFD", character))
    if len(marks) == 1 and marks[0] in _ACCENTS and letter.isascii():
        return f"\\{_ACCENTS[marks[0]]}{{{letter}}}"
    return f"[U+{ord(character):04X}]"


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return re.sub(r"[\\`*_|<>\[\]&~$]", r"\\\g<0>", defused(" ".join(text.split())))


def markdown_paragraph(text: str) -> str:
    """Return a text that Markdown shows as it is, as a paragraph and not as a heading or an item of a list."""
    return re.sub(r"^(\d*)([-+=#.)])", r"\1\\\2", escape_markdown(text))
