"""How Sphinx makes the site of what `python -m release.site` has written."""

project = "virtcim"
author = "the authors of virtcim"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "virtcim"
html_static_path = ["static"]
html_css_files = ["drawings.css"]
html_copy_source = False
html_show_sphinx = False
# Links to headings, as forges make their names.
myst_heading_anchors = 3
myst_enable_extensions: list[str] = []
# Lines of a terminal and of systemd's units have no grammar that Pygments would know by these names.
suppress_warnings = ["misc.highlighting_failure"]
