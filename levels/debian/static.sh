# Runs while the image is built. An account for services that need no more: `user: app` in berth.yaml.
useradd --system --uid 1000 --create-home app
