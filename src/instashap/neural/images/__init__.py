"""Explanations of images, whose players are patches."""
