"""The demo's shop window: plain HTML, CSS and JavaScript modules, and the little server that hands them out."""
