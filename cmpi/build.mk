# The CMPI library and the test broker.  Included by the Makefile of the project, and usable alone from its directory:
#   make -f cmpi/build.mk cmpi

comma := ,
CMPI_BUILD := build/cmpi
CMPI_CC ?= cc
CMPI_SOCKET ?= /run/virtcim/cmpi.sock
CMPI_DIR ?= /usr/lib/$(shell $(CMPI_CC) -dumpmachine)/cmpi
CMPI_FLAGS := -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror -g
CMPI_SANITIZE := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CMPI_SOURCES := $(wildcard cmpi/library/*.c)
CMPI_HEADERS := $(wildcard cmpi/library/*.h)
CMPI_BROKER := $(wildcard cmpi/testbroker/*.c)
CMPI_LIBRARY = $(CMPI_CC) $(CMPI_FLAGS) $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -pthread \
	-DVIRTCIM_CMPI_SOCKET='"$(CMPI_SOCKET)"' $(1) -shared -Wl,-z,nodelete,-z,relro,-z,now $(LDFLAGS) \
	-o $@ $(CMPI_SOURCES) -lcbor

# URLs of the CIM server to compare, with virtcim registered in it, and of the `virtcim serve` behind it.
CIMOM ?=
EMBEDDED ?=

.PHONY: cmpi cmpi-test-programs install-cmpi test-cimom cmpi-always

# What was built is built again when the settings are others than those it was built with.
$(CMPI_BUILD)/settings: export SETTINGS = $(CMPI_CC) $(CMPI_FLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(CMPI_SOCKET)
$(CMPI_BUILD)/settings: cmpi-always
	@mkdir -p $(@D)
	@printf '%s\n' "$$SETTINGS" | cmp -s - $@ || printf '%s\n' "$$SETTINGS" > $@

cmpi: $(CMPI_BUILD)/libvirtcim.so

cmpi-test-programs: cmpi $(CMPI_BUILD)/testbroker $(CMPI_BUILD)/sanitized/libvirtcim.so \
	$(CMPI_BUILD)/sanitized/testbroker

install-cmpi: cmpi
	install -D -m 0755 $(CMPI_BUILD)/libvirtcim.so $(DESTDIR)$(CMPI_DIR)/libvirtcim.so

test-cimom:
	@test -n "$(CIMOM)" -a -n "$(EMBEDDED)" || \
		{ echo 'usage: make test-cimom CIMOM=http://... EMBEDDED=http://...  (see docs/cmpi.md)' >&2; exit 2; }
	VIRTCIM_TEST_CIMOM=$(CIMOM) VIRTCIM_TEST_EMBEDDED=$(EMBEDDED) $(or $(BIN),.venv/bin)/python -m pytest \
		tests/cmpi/test_installed.py

$(CMPI_BUILD)/libvirtcim.so: $(CMPI_SOURCES) $(CMPI_HEADERS) cmpi/build.mk $(CMPI_BUILD)/settings
	@mkdir -p $(@D)
	$(call CMPI_LIBRARY,-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wl$(comma)-z$(comma)defs)

$(CMPI_BUILD)/sanitized/libvirtcim.so: $(CMPI_SOURCES) $(CMPI_HEADERS) cmpi/build.mk $(CMPI_BUILD)/settings
	@mkdir -p $(@D)
	$(call CMPI_LIBRARY,$(CMPI_SANITIZE))

$(CMPI_BUILD)/testbroker: $(CMPI_BROKER) $(wildcard cmpi/testbroker/*.h) cmpi/library/cmpi.h cmpi/build.mk $(CMPI_BUILD)/settings
	@mkdir -p $(@D)
	$(CMPI_CC) $(CMPI_FLAGS) -O2 -pthread -o $@ $(CMPI_BROKER) -ldl

$(CMPI_BUILD)/sanitized/testbroker: $(CMPI_BROKER) $(wildcard cmpi/testbroker/*.h) cmpi/library/cmpi.h cmpi/build.mk $(CMPI_BUILD)/settings
	@mkdir -p $(@D)
	$(CMPI_CC) $(CMPI_FLAGS) $(CMPI_SANITIZE) -pthread -o $@ $(CMPI_BROKER) -ldl
