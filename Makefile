# make demo     all set-up, then the main job on a small model: what changed, was it verified, how long it took
# make test     all set-up, then every test
# make          builds;   make install PREFIX=DIR   installs
# Models to test on, when you have some: make test OX_MODELS=DIR OX_ONNX_TESTS=DIR

BUILD  ?= build
PREFIX ?= /usr/local
MESON  ?= meson

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

setup:
	@tools/setup.sh

$(BUILD)/build.ninja: | setup
	@$(MESON) setup $(BUILD) --prefix=$(abspath $(PREFIX)) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

install: all
	@$(MESON) configure $(BUILD) --prefix=$(abspath $(PREFIX)) > /dev/null
	@$(MESON) install -C $(BUILD) --quiet

demo: all
	@examples/demo.sh $(BUILD)/tools

test: all
	@$(MESON) test -C $(BUILD) --print-errorlogs

clean:
	rm -rf $(BUILD)

.PHONY: all setup install demo test clean
