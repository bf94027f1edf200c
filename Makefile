# make demo     all set-up, then the main job on a small model: what changed, was it verified, how long it took
# make test     all set-up, then every test
# make          builds
# make install PREFIX=DIR      programs, library, headers, man pages, profiles and rules below DIR (DESTDIR works)
# make bin      nothing but the two programs
# SETUP=...      more options for meson, for the first run
# Models to test on, when you have some: make test OX_MODELS=DIR OX_ONNX_TESTS=DIR

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c

BUILD  ?= build
PREFIX ?= /usr/local
MESON  ?= meson
SETUP  ?=
NINJA   = ninja -C $(BUILD) --quiet

all: configured
	@$(NINJA) | sed '/no work to do/d'

bin: configured
	@$(NINJA) tools/onnx-opt tools/onnx-run | sed '/no work to do/d'

setup:
	@tools/setup.sh

configured: setup
	@[ -f $(BUILD)/build.ninja ] || { echo 'building in $(BUILD)/, a minute or two the first time'; \
	  said=$$($(MESON) setup $(BUILD) $(SETUP) 2>&1) || { echo "$$said"; exit 1; }; }

install: all
	@$(MESON) configure $(BUILD) --prefix=$(abspath $(PREFIX)) > $(BUILD)/install.log
	@$(MESON) install -C $(BUILD) >> $(BUILD)/install.log 2>&1 || { cat $(BUILD)/install.log; exit 1; }

demo: bin
	@examples/demo.sh $(BUILD)/tools

test: all
	@$(MESON) test -C $(BUILD) --no-rebuild --print-errorlogs

clean:
	rm -rf $(BUILD)

.PHONY: all bin setup configured install demo test clean
