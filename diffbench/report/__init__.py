"""For people: tables, figures and the page."""
