# SPDX-License-Identifier: MIT
# Targets that concern the whole project: dependencies, tests, lint, demo, installation.
