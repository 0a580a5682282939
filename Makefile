# Leftfold. `make help` lists the targets.

VARIANT ?= release
BUILD ?= $(if $(filter release,$(VARIANT)),build,build/$(VARIANT))
PREFIX ?= /usr/local
VERSION := 0.1.0
CC ?= gcc
OBJCOPY ?= objcopy
comma := ,
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wwrite-strings -Wundef -Wformat=2
BASE := -std=gnu11 -D_GNU_SOURCE -I. -g -fvisibility=hidden -fstack-protector-strong \
	-fstack-clash-protection -fPIE $(WARNINGS)
LINK := -pie -Wl,-z,relro,-z,now
LIBS := -luring -ljemalloc -lpg_query -lprotobuf-c -lzstd -lpcre2-8 -lpthread -lm

ifneq ($(filter release pgo,$(VARIANT)),)
FLAGS := $(BASE) -O3 -D_FORTIFY_SOURCE=2
# The server is optimized as a whole (orders and votes: 9% more), and so are the micro-benchmarks where they are measured;
# the objects have both forms, so that tests are linked as usual.
ifeq ($(findstring clang,$(CC)),)
LTO := -flto=auto -ffat-lto-objects
LTO_SOURCES := core/% net/% bench/instructions/% $(if $(filter pgo,$(VARIANT)),bench/%)
# What is warned of is the compiler's to say, one file at a time.
LTO_LINK := $(LINK) $(LTO) -Wno-maybe-uninitialized
LINK += -fno-lto
MICRO_LINK := $(if $(filter pgo,$(VARIANT)),$(LTO_LINK),$(LINK))
endif
ifeq ($(VARIANT),pgo)
# Optimized by a profile, see the target pgo. What the training did not reach is optimized as in a release, which also
# says what is warned of: by what else is inlined here, the compiler warns of more.
FLAGS += -Wno-error $(if $(TRAINING),-fprofile-generate -fprofile-update=prefer-atomic,-fprofile-use -fprofile-partial-training \
	-fprofile-correction -Wno-missing-profile -Wno-maybe-uninitialized)
endif
else ifeq ($(VARIANT),debug)
FLAGS := $(BASE) -O0 -DLF_DEBUG
else ifeq ($(VARIANT),asan)
FLAGS := $(BASE) -O1 -DLF_DEBUG -DLF_LIBC_MALLOC -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
LIBS := $(filter-out -ljemalloc,$(LIBS))
else ifeq ($(VARIANT),tsan)
# -Wtsan: fences are not modelled; the arguments in core/sync say how the code does without.
FLAGS := $(BASE) -O1 -DLF_DEBUG -DLF_LIBC_MALLOC -fsanitize=thread -Wno-tsan
LIBS := $(filter-out -ljemalloc,$(LIBS))
else ifeq ($(VARIANT),fuzz)
# With clang's libFuzzer: make fuzz.
CC := clang
FLAGS := $(BASE) -O1 -DLF_DEBUG -DLF_LIBC_MALLOC -fno-omit-frame-pointer \
	-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -Wno-error
LIBS := $(filter-out -ljemalloc,$(LIBS))
else
$(error VARIANT is one of release, pgo, debug, asan, tsan, fuzz)
endif
LTO_LINK ?= $(LINK)
MICRO_LINK ?= $(LINK)

# A signal handler of the test library would hide the sanitizers' reports.
export ASAN_OPTIONS := allow_user_segv_handler=0:handle_segv=2:handle_abort=0:detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS := halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS := halt_on_error=1:second_deadlock_stack=1

# What the end-to-end tests run against, and how much: small is for builds that are slow by nature.
export LEFTFOLD_BUILD := $(abspath $(BUILD))
export LEFTFOLD_TEST_SIZE ?= $(if $(filter release,$(VARIANT)),full,small)

CORE := $(wildcard core/*/*.c core/*.c)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
PROPERTY := $(patsubst tests/property/%.c,$(BUILD)/tests/property/%,$(wildcard tests/property/test_*.c))
SIM := $(BUILD)/tests/sim/sim
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
MICRO := $(patsubst bench/micro/%.c,$(BUILD)/bench/micro/%,$(wildcard bench/micro/bench_*.c))
# The feed from PostgreSQL, where its client library (libpq-dev) is installed.
PGFEED := $(if $(wildcard /usr/include/postgresql/libpq-fe.h),$(BUILD)/leftfold-pgfeed)

# Scripts that run against the binaries of this variant; long ones first. Of a sanitizer's build no profile and no benchmark
# says anything, and what has one thread at a time says nothing to the thread sanitizer.
RELEASED := $(filter release debug pgo,$(VARIANT))
E2E := \
	$(if $(PGFEED),tests/e2e/run_pgfeed.py $(if $(RELEASED),tests/e2e/run_pgfeed_cases.py tests/e2e/run_pgfeed_tables.py)) \
	tests/e2e/run_chinook.py \
	tests/e2e/run_transfers.py \
	tests/e2e/run_durability.py \
	tests/e2e/run_once.py \
	tests/e2e/run_cli.py \
	tests/e2e/run_copy.py \
	$(BUILD)/tests/e2e/test_client_e2e \
	tests/e2e/run_server.py \
	tests/e2e/run_source.py \
	tests/e2e/run_protocol.py \
	tests/e2e/run_commands.py \
	tests/e2e/run_feeds.py \
	tests/e2e/run_events.py \
	tests/e2e/run_views.py \
	tests/e2e/run_mutations.py \
	$(if $(filter tsan,$(VARIANT)),,tests/e2e/run_semantics.py tests/e2e/run_slt.py) \
	$(if $(RELEASED),tests/e2e/run_packages.py tests/e2e/run_install.py tests/e2e/run_bench.py tests/e2e/run_tpch.py \
		tests/e2e/run_demo.py) \
	$(if $(filter release,$(VARIANT)),tests/e2e/run_profile.py)
E2E_BUILT := $(if $(RELEASED),$(addprefix $(BUILD)/,leftfold-demo bench-peers bench-sqlite tpch-rows)) $(filter $(BUILD)/%,$(E2E))
SOURCES := $(CORE) $(wildcard net/*.c net/*/*.c tests/*/*.c bench/*/*.c tools/*/*.c)
HEADERS := $(wildcard core/*/*.h core/*.h net/*.h net/*/*.h tests/*/*.h tools/*/*.h bench/*/*.h)

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# The client library: with what it needs of core (types, text of values), on libc's allocator.
CLIENT := $(wildcard net/client/*.c) core/base/assert.c core/base/error.c core/base/mem.c core/base/utf8.c \
	core/log/entry.c core/store/row.c core/store/value.c core/sql/cast.c core/sql/datetime.c core/sql/datetime_parse.c \
	core/sql/datetime_text.c core/sql/interval.c core/sql/json.c core/sql/numeric.c core/sql/numeric_math.c
CLIENT_OBJECTS := $(patsubst %.c,$(BUILD)/obj-client/%.o,$(CLIENT))
CLIENT_FLAGS = $(patsubst -O3,-O2,$(filter-out -fPIE,$(FLAGS))) -fPIC -ffunction-sections -fdata-sections -DLF_LIBC_MALLOC
CLIENT_LIBRARY := $(BUILD)/libleftfold.a $(BUILD)/libleftfold.so $(BUILD)/leftfold.pc $(BUILD)/include/leftfold.h

.PHONY: install uninstall all pgo lib client unit property sim micro setup setup-lint e2e fuzz fuzz-run fuzz-targets test \
	test-all consistency-long property-long views-long mutations-long once-long pgfeed-long soak bench bench-pgfeed bench-peers instructions lint tidy fmt clean help compile_commands.json FORCE
.SECONDARY:

all: setup $(BUILD)/leftfoldd $(BUILD)/leftfold $(BUILD)/leftfold-bench $(PGFEED) client $(if $(RELEASED),micro) ## build everything (VARIANT=release|pgo|debug|asan|tsan)

# Twice: once to see what the server does under its own load generator, then by what was seen. The counts lie beside the
# objects.
pgo: setup ## release, optimized by a profile of the server under load: build/pgo (a fifth faster)
	$(Q)rm -rf build/pgo/obj
	$(Q)$(MAKE) VARIANT=pgo TRAINING=1 build/pgo/leftfoldd build/pgo/leftfold-bench
	$(Q)bench/train build/pgo
	$(Q)$(MAKE) VARIANT=pgo

lib: $(BUILD)/libcore.a

unit: $(UNIT)
property: $(PROPERTY)

SEEDS ?= 100

sim: setup $(SIM) ## SEEDS (100) simulations of crashes and faults of the disk; FROM=first
	$(Q)$(SIM) --seeds $(SEEDS) $(if $(FROM),--from $(FROM))
micro: $(MICRO)

$(BUILD)/flags: used = $(CC) $(FLAGS) $(LTO) $(LINK) $(LIBS)
build/lint/flags: used = $(CC) $(BASE) $(LINT_NODES)
$(BUILD)/ck: used = $(CK)
$(BUILD)/flags $(BUILD)/ck build/lint/flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(used)' | cmp -s - $@ || echo '$(used)' > $@
FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | setup
	$(Q)mkdir -p $(@D)
	$(if $(Q),@echo '  CC    $<')
	$(Q)$(CC) $(if $(filter tests/%,$<),$(FLAGS:-O3=-O1),$(FLAGS)) $(if $(filter $(LTO_SOURCES),$<),$(LTO)) -MMD -MP -c $< -o $@

$(BUILD)/libcore.a: $(call object,$(CORE))
	$(if $(Q),@echo '  AR    $@')
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

client: $(CLIENT_LIBRARY)

$(BUILD)/obj-client/%.o: %.c $(BUILD)/flags | setup
	$(Q)mkdir -p $(@D)
	$(if $(Q),@echo '  CC    $< (client)')
	$(Q)$(CC) $(CLIENT_FLAGS) -MMD -MP -c $< -o $@

# One object, in which only the public functions are not local: a program may link core too.
$(BUILD)/libleftfold.a: $(CLIENT_OBJECTS)
	$(if $(Q),@echo '  AR    $@')
	$(Q)$(LD) -r $^ -o $(BUILD)/obj-client/leftfold.o
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/obj-client/leftfold.o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(BUILD)/obj-client/leftfold.o

$(BUILD)/libleftfold.so.0: $(CLIENT_OBJECTS) net/client/leftfold.map
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(CLIENT_FLAGS) -shared -Wl,-soname,libleftfold.so.0 -Wl,--version-script=net/client/leftfold.map \
		-Wl,--gc-sections -Wl,-z,relro,-z,now $(if $(filter release debug,$(VARIANT)),-Wl$(comma)-z$(comma)defs) \
		$(CLIENT_OBJECTS) -o $@ -Wl,--as-needed -lm

$(BUILD)/libleftfold.so: $(BUILD)/libleftfold.so.0
	$(Q)ln -sf libleftfold.so.0 $@

$(BUILD)/include/leftfold.h: net/client/leftfold.h
	$(Q)mkdir -p $(@D)
	$(Q)cp $< $@

# PREFIX may change from one call to the next.
$(BUILD)/leftfold.pc: net/client/leftfold.pc.in FORCE
	$(Q)mkdir -p $(@D)
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' $< > $@

# Sessions without the reactor, for tests that have no sockets.
$(BUILD)/libsession.a: $(call object,$(filter-out net/server/reactor.c,$(wildcard net/server/*.c)))
	$(if $(Q),@echo '  AR    $@')
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/leftfoldd: $(call object,net/main.c $(wildcard net/server/*.c)) $(BUILD)/libcore.a
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LTO_LINK) $^ -o $@ $(LIBS)

# What of core the client has besides its library's: splitting scripts, reading data directories.
$(BUILD)/leftfold: $(call object,$(wildcard tools/leftfold/*.c) core/sql/split.c core/log/segment.c core/log/entry.c core/log/disk.c \
		core/base/crc32c.c core/base/error.c core/base/assert.c core/base/log.c core/base/clock.c) $(BUILD)/libleftfold.a
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ -ledit -luring -lzstd -lm

$(BUILD)/leftfold-pgfeed: $(call object,$(wildcard tools/pgfeed/*.c)) $(BUILD)/libleftfold.a
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ -lpq -lpthread -lm

# Generator and queries of TPC-H.
TPCH := $(call object,bench/tpch/tpch.c bench/tpch/words.c bench/tpch/sql.c)

$(BUILD)/leftfold-bench: $(call object,$(wildcard bench/load/*.c) core/sql/split.c) $(TPCH) $(BUILD)/libleftfold.a
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ -lm

$(BUILD)/bench-sqlite: $(call object,bench/peers/sqlite.c bench/load/histogram.c bench/load/random.c bench/load/server.c)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ -lsqlite3 -lm

$(BUILD)/bench-peers: $(call object,$(filter-out bench/peers/sqlite.c,$(wildcard bench/peers/*.c)) bench/load/histogram.c bench/load/random.c bench/load/server.c)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ -lm

$(BUILD)/tpch-rows: $(call object,$(wildcard bench/tpch/*.c))
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@

$(BUILD)/leftfold-demo: $(call object,$(wildcard tools/demo/*.c)) $(BUILD)/libleftfold.a
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ -lsqlite3 -lm

# What a test is of where that is in no library; it stands before the libraries, of which it may need something.
test_demo_rows_tests := tools/demo/rows.c tools/demo/print.c
test_histogram_tests := bench/load/histogram.c bench/load/random.c
test_copy_text_tests := tools/leftfold/copy_text.c tools/leftfold/text.c
test_copy_statement_tests := tools/leftfold/copy_statement.c tools/leftfold/copy_text.c tools/leftfold/text.c
test_generator_tests := bench/load/generator.c bench/load/random.c
test_custom_tests := bench/load/custom.c bench/load/generator.c bench/load/random.c
test_pgoutput_tests := tools/pgfeed/pgoutput.c
test_pgfeed_types_tests := tools/pgfeed/types.c
test_pgfeed_spool_tests := tools/pgfeed/spool.c tools/pgfeed/keymap.c
fuzz_pgoutput_tests := tools/pgfeed/pgoutput.c

# Concurrency Kit, to compare with, where it is installed.
CK := $(if $(wildcard /usr/include/ck_ht.h),-lck)
$(BUILD)/bench/micro/bench_table: private LIBS += $(CK)
$(call object,bench/micro/bench_ring.c bench/micro/bench_table.c): $(BUILD)/ck

# The session and the client's library, which need what stands behind them.
bench_wire_libraries := $(BUILD)/libsession.a $(BUILD)/libleftfold.a

$(BUILD)/bench/micro/bench_core: $(call object,bench/load/server.c)

$(BUILD)/bench/micro/bench_growth: $(call object,bench/load/histogram.c)

$(BUILD)/tests/unit/test_tpch: $(TPCH)

$(BUILD)/bench/micro/bench_tpch: $(TPCH)
$(BUILD)/bench/micro/bench_tpch: private LIBS += -lsqlite3

# The program's allocations are the test's, which has them fail.
comma := ,
$(BUILD)/tests/unit/test_allocation: private LINK += $(patsubst %,-Wl$(comma)--wrap=%,\
	malloc calloc realloc aligned_alloc posix_memalign strdup mallocx rallocx)

# A test's helpers: tests/property/views_*.c belong to tests/property/test_views.c.
.SECONDEXPANSION:
$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o \
		$$(call object,$$(wildcard $$(subst /test_,/,tests/$$*)_*.c) $$($$(*F)_tests)) $(BUILD)/libsession.a \
		$(BUILD)/libleftfold.a $(BUILD)/libcore.a
	$(Q)mkdir -p $(@D)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LINK) $^ -o $@ $(LIBS) -lcmocka -lsqlite3

$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $$($$(*F)_libraries) $(BUILD)/libcore.a
	$(Q)mkdir -p $(@D)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(MICRO_LINK) $^ -o $@ $(LIBS)

$(BUILD)/bench/instructions: $(call object,bench/instructions/instructions.c) $(BUILD)/libsession.a $(BUILD)/libcore.a
	$(Q)mkdir -p $(@D)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(LTO_LINK) $^ -o $@ $(LIBS)

install: $(BUILD)/leftfoldd $(BUILD)/leftfold $(BUILD)/leftfold-bench $(PGFEED) client ## into PREFIX (/usr/local), below DESTDIR
	$(Q)install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin include lib/pkgconfig)
	$(Q)install $(BUILD)/leftfoldd $(BUILD)/leftfold $(BUILD)/leftfold-bench $(PGFEED) $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 644 net/client/leftfold.h $(DESTDIR)$(PREFIX)/include
	$(Q)install -m 644 $(BUILD)/libleftfold.a $(BUILD)/libleftfold.so.0 $(DESTDIR)$(PREFIX)/lib
	$(Q)ln -sf libleftfold.so.0 $(DESTDIR)$(PREFIX)/lib/libleftfold.so
	$(Q)install -m 644 $(BUILD)/leftfold.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig

uninstall: ## remove what install installed
	$(Q)rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/leftfoldd bin/leftfold bin/leftfold-bench bin/leftfold-pgfeed include/leftfold.h \
		lib/libleftfold.a lib/libleftfold.so lib/libleftfold.so.0 lib/pkgconfig/leftfold.pc)

setup: ## install the apt packages that are missing
	$(Q)tools/setup.sh build demo test

# A fuzz target: with libFuzzer in the variant fuzz, elsewhere a program that replays its corpus.
$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o \
		$(if $(filter fuzz,$(VARIANT)),,$(BUILD)/obj/tests/fuzz/replay.o) $$(call object,$$($$(*F)_tests)) \
		$(BUILD)/libsession.a $(BUILD)/libcore.a
	$(Q)mkdir -p $(@D)
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(FLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) $(LINK) $^ -o $@ $(LIBS)

FUZZ_SECONDS ?= 300

fuzz-targets: $(FUZZ)

demo: setup $(BUILD)/leftfoldd $(BUILD)/leftfold $(BUILD)/leftfold-demo ## a shop, and this machine's packages, compared with SQLite
	$(Q)$(BUILD)/leftfold-demo --build $(BUILD)

fuzz: setup ## build the fuzz targets with clang's libFuzzer
	$(Q)tools/setup.sh fuzz
	$(Q)$(MAKE) VARIANT=fuzz fuzz-targets

fuzz-run: fuzz ## run each fuzz target for FUZZ_SECONDS (300)
	$(Q)for f in $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)); do \
		mkdir -p build/fuzz/corpus/$$f; \
		build/fuzz/tests/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=4096 \
			-artifact_prefix=build/fuzz/$$f- -print_final_stats=1 \
			$$(test ! -f tests/fuzz/$$f.dict || echo -dict=tests/fuzz/$$f.dict) build/fuzz/corpus/$$f \
			tests/fuzz/corpus/$$f || exit 1; done

setup-lint:
	$(Q)tools/setup.sh build lint

e2e: all $(E2E_BUILT) ## the end-to-end tests
	$(Q)tests/run $(E2E)

# What takes longest begins first.
LONG := $(BUILD)/tests/unit/test_allocation

# So many take some seconds.
SIM_TEST_SEEDS = $(if $(filter full,$(LEFTFOLD_TEST_SIZE)),60,10)

# Counts of instructions are known for the release build only.
COUNTED := $(if $(filter release,$(VARIANT)),$(BUILD)/bench/instructions)

test: all unit property $(SIM) fuzz-targets $(E2E_BUILT) $(COUNTED) ## set-up, build, the tests of this variant
	$(Q)tests/run $(LONG) $(E2E) $(PROPERTY) "$(SIM) --seeds $(SIM_TEST_SEEDS)" \
		$(patsubst %,"$(SIM) --seeds 40 --plant %",early nodirsync twice) $(filter-out $(LONG),$(UNIT)) $(FUZZ) $(if $(RELEASED),$(MICRO:%="% --smoke")) \
		$(COUNTED:%="bench/instructions/check --build $(abspath $(BUILD))")

property-long: ## 10,000 random commands against the oracle, address+undefined
	$(Q)$(MAKE) VARIANT=asan build/asan/tests/property/test_views
	$(Q)build/asan/tests/property/test_views --rounds 10000

views-long: all ## 20,000 rounds of random views and commands beside PostgreSQL
	$(Q)tests/e2e/run_views.py --rounds 20000

mutations-long: all ## 2,000 rounds of mutated statements beside PostgreSQL, with what it answers otherwise
	$(Q)tests/e2e/run_mutations.py --rounds 2000 --compare

once-long: all ## 1,000,000 commands with request ids, executed once over kills and cut connections
	$(Q)tests/e2e/run_once.py --commands 1000000

test-all: ## the tests in release, address+undefined and thread
	$(Q)$(MAKE) VARIANT=release test
	$(Q)$(MAKE) VARIANT=asan test
	$(Q)$(MAKE) VARIANT=tsan test

# What is measured is what is fastest: the server as make pgo builds it.
bench: pgo ## all benchmarks: bench/RESULTS.md, bench/results.json
	$(Q)tools/setup.sh bench
	$(Q)$(MAKE) VARIANT=pgo micro
	$(Q)bench/run --build $(abspath build/pgo)

instructions: setup $(BUILD)/bench/instructions ## the server's instructions for an operation, beside those known
	$(Q)bench/instructions/check --build $(abspath $(BUILD))

bench-pgfeed: pgo ## the feed from PostgreSQL: rows a second copied, and how long until a commit is seen
	$(Q)tools/setup.sh bench test
	$(Q)bench/pgfeed --build $(abspath build/pgo)

bench-peers: pgo ## beside Redis, memcached, Tarantool, PostgreSQL and SQLite: bench/PEERS.md
	$(Q)tools/setup.sh peers
	$(Q)$(MAKE) VARIANT=pgo $(addprefix build/pgo/,bench-peers bench-sqlite bench/micro/bench_core)
	$(Q)bench/peers/run --build $(abspath build/pgo)

consistency-long: setup $(BUILD)/tests/property/test_consistency ## 10 million reads under transfers
	$(Q)$(BUILD)/tests/property/test_consistency --reads 10000000

# States of a function that the analyzer looks at. Its own default is 225000, which takes four times as long.
LINT_NODES ?= 50000

# Kept by file, with a hash of what was looked at: only what has changed is looked at again.
TIDY := $(patsubst %.c,build/lint/%.ok,$(filter-out tests/% tools/examples/%,$(SOURCES)))

build/lint/%.ok: %.c .clang-tidy build/lint/flags | setup-lint
	$(Q)mkdir -p $(@D)
	$(Q)key=$$({ cat .clang-tidy build/lint/flags && $(CC) $(BASE) -E -P $<; } | sha256sum) && \
	if [ "$$(cat $@ 2>/dev/null)" != "$$key" ]; then \
		echo '  TIDY  $<'; \
		clang-tidy --quiet $< -- $(BASE) -Xclang -analyzer-config -Xclang max-nodes=$(LINT_NODES) >$@.out 2>&1 || { cat $@.out; exit 1; }; \
		rm $@.out; \
	fi && $(CC) $(BASE) -MM -MP -MT $@ -MF $(@:.ok=.d) $< && echo "$$key" >$@

tidy: $(TIDY)

pgfeed-long: all ## 30 minutes of the feed from PostgreSQL, with all sides killed at random
	$(Q)tests/e2e/run_pgfeed.py --cycles 30 --seconds 60

soak: all ## the long form of the durability test: 500 kills, 100 power cuts, every cut and flipped byte
	$(Q)LEFTFOLD_SOAK=1 tests/e2e/run_durability.py

lint: setup-lint ## floors, format, shellcheck, cppcheck, clang-tidy
	$(Q)tools/check-floors
	$(Q)clang-format --dry-run --Werror $(SOURCES) $(HEADERS)
	$(Q)shellcheck --exclude=SC2013,SC2044 .ci/run bench/train tools/check-floors tools/compile-commands tools/setup.sh \
		tools/examples/postgres_feed
	$(Q)python3 -m py_compile tests/run tests/e2e/*.py tools/profile tools/profiling/*.py bench/*.py bench/pgfeed
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -I. -U__clang_analyzer__ \
		--enable=warning,portability --suppress=missingIncludeSystem \
		--suppress=normalCheckLevelMaxBranches -j $(shell nproc) core net
	$(Q)$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) tidy

fmt: ## format all sources
	$(Q)clang-format -i $(SOURCES) $(HEADERS)

compile_commands.json: ## for editors and clang-tidy
	$(Q)tools/compile-commands '$(CC) $(FLAGS)' $(SOURCES) > $@

clean: ## remove what was built
	$(Q)rm -rf build compile_commands.json

help: ## this list
	$(Q)grep -hE '^[a-z0-9_.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9_.-]+):.*## /  \1\t/' | expand -t 26

-include $(shell find $(BUILD)/obj $(BUILD)/obj-client build/lint -name '*.d' 2>/dev/null)
