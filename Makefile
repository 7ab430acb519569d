# make verify and make test do all set-up themselves. make help lists the rest.

SWIFT ?= swift
PYTHON ?= python3
VENV := .venv
VENV_GOLDEN := .venv-golden
VENV_STUDY := .venv-study
SOURCES := Package.swift Sources Tests

.DEFAULT_GOAL := help
.PHONY: help setup verify test lint check-golden check-mutations check-sanitizers check-docs write-docs release-golden check-kills check-consumer check-api-docs conformance bench bench-peers check-python notebooks check-notebooks golden golden-kills golden-budgets golden-check peers format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-16s %s\n", $$1, $$2 }'

setup: ## install what is missing: libhdf5-dev, libssl-dev, pkg-config by apt, hdf5 by brew
	@.ci/setup.sh

verify: setup ## build for release, run every golden case on the slow path and compare
	@$(SWIFT) build -c release --product v4-oracle
	@$$($(SWIFT) build -c release --show-bin-path)/v4-oracle verify --golden golden

test: setup ## run all tests
	@$(SWIFT) test

lint: setup ## check the format of the sources and the golden folder
	@$(SWIFT) format lint --strict --recursive $(SOURCES)
	@$(SWIFT) build -c release --product v4-oracle
	@$$($(SWIFT) build -c release --show-bin-path)/v4-oracle golden lint --golden golden

format: ## format the sources in place
	@$(SWIFT) format --in-place --recursive $(SOURCES)

check-golden: $(VENV)/ready ## check the golden folder from Python (about 40 MB of packages, once)
	@$(VENV)/bin/python golden/generators/check.py

check-docs: setup $(VENV)/ready ## check links, equations, commands, snippets and pictures of the pages (about a minute)
	@$(SWIFT) build -c release --product v4-oracle
	@V4_ORACLE="$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" \
	  $(VENV)/bin/python -m unittest discover --buffer -s docs/checks/tests -t docs
	@V4_ORACLE="$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" $(VENV)/bin/python docs/check.py

write-docs: setup $(VENV)/ready ## write what is generated in docs: pictures, known bugs, the column of notebooks
	@$(SWIFT) build -c release --product v4-oracle
	@V4_ORACLE="$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" $(VENV)/bin/python docs/check.py --write

release-golden: $(VENV)/ready ## pack the golden folder for a release, with checksums: .build/release-golden
	@$(VENV)/bin/python golden/release.py --out .build/release-golden

check-kills: setup ## run every known bug on every case it concerns (some minutes), and hold the manifest to it
	@$(SWIFT) build -c release --product v4-oracle
	@$$($(SWIFT) build -c release --show-bin-path)/v4-oracle golden kills --golden golden

check-mutations: setup ## plant every error of the list in the kernels, and see each one noticed (some minutes)
	@V4_ALL_MUTATIONS=1 $(SWIFT) test --filter PlantedErrorTests

check-sanitizers: setup ## run the kernels under the address and undefined-behaviour sanitizers (builds anew; ten minutes)
	@ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --sanitize=address --scratch-path .build/asan \
	  --filter FastKernelsTests --skip PlantedErrorTests --skip GoldenSuiteTests --skip theEngineReportsNoFailure
	@V4_KERNEL_FLAGS='-g -fsanitize=undefined -fsanitize-trap=undefined' \
	  $(SWIFT) test --filter nothingIsFoundInKernelsAsTheyAre

check-consumer: setup ## build and test a package that depends on this one by a version tag
	@.ci/check-consumer.sh

check-api-docs: setup ## build the documentation of the public API without warnings into .build/api-docs, check its comments
	@.ci/check-api-docs.sh

golden: setup $(VENV_GOLDEN)/ready ## make all golden cases anew (several GB of packages, once)
	@$(VENV_GOLDEN)/bin/python golden/generators/build.py
	@$(MAKE) --no-print-directory golden-kills
	@$(MAKE) --no-print-directory golden-budgets

golden-kills: setup $(VENV)/ready ## record in the manifest which known bugs each case kills
	@$(SWIFT) build -c release --product v4-oracle
	@$$($(SWIFT) build -c release --show-bin-path)/v4-oracle golden kills --golden golden --json .build/kills.json
	@$(VENV)/bin/python golden/generators/build.py --kills .build/kills.json

golden-budgets: setup ## measure anew what the coarser precision classes may be off by (some minutes)
	@$(SWIFT) build -c release --product v4-oracle
	@$$($(SWIFT) build -c release --show-bin-path)/v4-oracle golden budgets --golden golden --out golden/budgets.json

golden-check: $(VENV_GOLDEN)/ready ## make all golden cases anew in a temporary folder and compare
	@$(VENV_GOLDEN)/bin/python golden/generators/build.py --check

peers: setup $(VENV_GOLDEN)/ready ## compare formats with PyPI torch and whole checkpoints with transformers (several GB of packages, once)
	@$(SWIFT) build -c release --product v4-oracle
	@$(VENV_GOLDEN)/bin/python golden/peers/check_formats.py
	@$(VENV_GOLDEN)/bin/python golden/peers/check_peers.py --precision float double --report docs/peers.md \
	  --v4-oracle "$$($(SWIFT) build -c release --show-bin-path)/v4-oracle"

conformance: setup $(VENV_GOLDEN)/engines ## run transformers, nano-deepseek-v4 and the other engines, explain their traces, plant every known bug (half an hour; several GB of packages, once)
	@$(SWIFT) build -c release --product v4-oracle
	@golden/engines/conformance.sh "$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" $(CURDIR)/$(VENV_GOLDEN)/bin/python

check-python: $(VENV_GOLDEN)/engines ## run the tests of the Python package and of the benchmarks (several GB of packages, once)
	@$(SWIFT) build -c release --product v4-oracle
	@$(VENV_GOLDEN)/bin/python -m unittest discover --buffer -s golden/benchmarks/tests
	@V4_ORACLE="$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" \
	  $(VENV_GOLDEN)/bin/python -m unittest discover -s golden/python/tests

notebooks: setup $(VENV_STUDY)/ready ## execute the study notebooks and export them (some minutes; 330 MB of packages, once)
	@$(SWIFT) build -c release --product v4-oracle
	@V4_ORACLE="$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" \
	  $(VENV_STUDY)/bin/python notebooks-export/build.py

check-notebooks: setup $(VENV_STUDY)/ready ## execute the study notebooks anew and compare byte for byte with what is exported
	@$(SWIFT) build -c release --product v4-oracle
	@$(VENV_STUDY)/bin/python -m unittest discover --buffer -s notebooks-export/tests -t notebooks-export
	@V4_ORACLE="$$($(SWIFT) build -c release --show-bin-path)/v4-oracle" \
	  $(VENV_STUDY)/bin/python notebooks-export/build.py --check

bench: setup ## time the fast kernels against the slow path and the limits of the machine (a quarter of an hour)
	@$(SWIFT) build -c release --product v4-oracle
	@$$($(SWIFT) build -c release --show-bin-path)/v4-oracle bench --json .build/bench.json

bench-peers: setup $(VENV_GOLDEN)/ready ## time them in turns with PyPI torch and transformers, write docs/performance.md (half an hour; several GB of packages, once)
	@$(SWIFT) build -c release --product v4-oracle
	@$(VENV_GOLDEN)/bin/python golden/benchmarks/bench_peers.py \
	  --v4-oracle "$$($(SWIFT) build -c release --show-bin-path)/v4-oracle"

$(VENV_GOLDEN)/engines: golden/engines/requirements.txt $(VENV_GOLDEN)/ready
	@echo "setup: installing nano-deepseek-v4 into $(VENV_GOLDEN)"
	@$(VENV_GOLDEN)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/ready: golden/generators/requirements-check.txt
	@echo "setup: installing numpy, h5py, mpmath and jsonschema into $(VENV) (about 40 MB)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV_STUDY)/ready: notebooks-export/requirements.txt
	@echo "setup: installing jupytext, nbclient, nbconvert and matplotlib into $(VENV_STUDY) (330 MB on disk)"
	@$(PYTHON) -m venv $(VENV_STUDY)
	@$(VENV_STUDY)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV_GOLDEN)/ready: golden/generators/requirements.txt
	@echo "setup: installing torch and transformers into $(VENV_GOLDEN): a download of about 3 GB, 7 GB on disk"
	@$(PYTHON) -m venv $(VENV_GOLDEN)
	@$(VENV_GOLDEN)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

clean: ## remove what was built; the virtual environments stay
	@rm -rf .build
