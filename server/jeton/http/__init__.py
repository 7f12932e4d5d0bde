"""The counter: strict form parsing, limits, and the rendering of values and errors. The only room that knows HTTP."""
