"""Drawings of the tap registry; docs/draw_architecture.py makes them."""
