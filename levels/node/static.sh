# Fails while the image is built, and not when the first container starts, if the base lacks a library.
node --version
