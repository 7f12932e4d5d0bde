"""Pages for people: templates, message catalogues and the stylesheet. The only room that knows HTML."""
