"""How the site is made: `make docs`."""

import logging
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Cells that call a program call that of the Python which builds the site.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

# Kernels have a profile of their own: nobody's start-up files, and no words about how they are reached.
KERNEL = tempfile.TemporaryDirectory()
os.environ["IPYTHONDIR"] = KERNEL.name
PROFILE = Path(KERNEL.name) / "profile_default"
PROFILE.mkdir()
(PROFILE / "ipython_kernel_config.py").write_text('c.IPKernelApp.log_level = "ERROR"\n', "utf-8")

# Programs that cells call print plain text, and the same wherever they are called.
os.environ |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
for name in ("CI", "BUILD_NUMBER"):
    os.environ.pop(name, None)
logging.getLogger("traitlets").setLevel(logging.WARNING)

from diffbench import __version__  # noqa: E402  (the path comes first)

project = "diffbench"
author = "The diffbench developers"
project_copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "generated",
    "examples",
]
exclude_patterns = ["example/*.md", "_ext", "_static"]
nitpicky = True
default_role = "code"
smartquotes = False  # --option is no dash

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

nb_execution_mode = "force"
nb_execution_raise_on_error = False  # a warning has the trace, and counts as much
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"

autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "diffbench"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0072b2",
        "color-brand-content": "#0072b2",
        "color-sidebar-link-text--top-level": "var(--color-foreground-secondary)",
    },
    "dark_css_variables": {
        "color-brand-primary": "#56b4e9",
        "color-brand-content": "#56b4e9",
        "color-sidebar-link-text--top-level": "var(--color-foreground-secondary)",
    },
}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
