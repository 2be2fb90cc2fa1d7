# The study's two commands are `make repro` and `make test`. Each makes its environment first:
# environment.sh finds or brings a Python, and installs what requirements.txt pins into .venv.
# ARGS="…" is passed on: make repro ARGS=--force, make test ARGS="-k split". GPU=1 and GPU=0, with and
# without CUDA, are environment.sh's.

.DEFAULT_GOAL := help
.PHONY: help repro parallel status demo try test slow mutants lint lock parity environment

# dvc.yaml's commands are `python -m stages.…`: that python has to be the environment's.
IN_VENV = PATH="$(CURDIR)/.venv/bin:$$PATH"

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

repro: environment ## run what the last change touches: data, networks, report (dvc repro)
	@$(IN_VENV) python -m dvc repro $(ARGS)
	@git diff --quiet HEAD -- dvc.lock 2>/dev/null || $(IN_VENV) python -m stages.runtime.committed

parallel: environment ## the same with stages side by side, ARGS="-j 4 report"; docs/parallel.md
	@$(IN_VENV) python -m app.repro $(ARGS)
	@git diff --quiet HEAD -- dvc.lock 2>/dev/null || $(IN_VENV) python -m stages.runtime.committed

# An edit of code shows as one of source_code, until that has told which stages it concerns.
status: environment ## what `make repro` would run: changes of data, settings and code (dvc status)
	@$(IN_VENV) python -m dvc repro --quiet source_code
	@$(IN_VENV) python -m dvc status
	@[ -e data/raw ] || echo "Nothing has been made here yet: \`make repro\` makes it all," \
	  "\`dvc pull\` brings what somebody has pushed (\`dvc remote list\`)"

demo: environment ## all networks side by side on a page, on this machine alone; docs/demo.md
	@$(IN_VENV) python -m app.demo $(ARGS)

try: environment ## the best network in a page that needs no server: reports/try.html
	@$(IN_VENV) python -m app.try_page $(ARGS)

test: environment ## the tests, then what `make lint` would say
	@$(IN_VENV) python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(IN_VENV) python -m ruff check --quiet
	@$(IN_VENV) python -m ruff format --check --quiet

# Ray's nodes take too long to start beside other tests. ARGS may choose from one half alone (5).
slow: environment ## tests that take minutes: pages of docs/ followed, branches, faults, browsers, fuzzing
	@.venv/bin/python -m pip install --quiet --require-hashes \
	  -r requirements-ray.txt -r requirements-remotes.txt -r tests/sharing/requirements.txt
	@$(IN_VENV) python -m pytest -m slow tests/compute $(ARGS) || [ $$? = 5 ]
	@$(IN_VENV) python -m pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder tests \
	  --ignore tests/compute --ignore tests/zoo/test_parity.py $(ARGS) || [ $$? = 5 ]

mutants: environment ## which small changes of the code no test sees; ARGS="web" takes one room
	@$(IN_VENV) python -m benchmarks.mutants $(ARGS)

lint: environment ## put the code in the house's form, and name what needs a hand (ruff)
	@$(IN_VENV) python -m ruff format
	@$(IN_VENV) python -m ruff check --fix

COMPILE = $(IN_VENV) UV_CUSTOM_COMPILE_COMMAND="make lock" python -m uv pip compile --quiet \
  --universal --python-version 3.10 --generate-hashes $(ARGS)
# What fits beside other locks, without what they pin.
beside = $(1:%=--constraint %) $$(sed -n 's/^\([a-z0-9.-]*\)==.*/--no-emit-package \1/p' $(1))

lock: environment ## pin what requirements*.in ask for; ARGS=--upgrade takes the newest releases
	@$(COMPILE) requirements.in --output-file requirements.txt
	@$(COMPILE) $(call beside,requirements.txt) \
	  requirements-remotes.in --output-file requirements-remotes.txt
	@$(COMPILE) $(call beside,requirements.txt requirements-remotes.txt) \
	  tests/sharing/requirements.in --output-file tests/sharing/requirements.txt
	@$(COMPILE) --constraint requirements.txt requirements-serve.in --output-file requirements-serve.txt
	@$(COMPILE) $(call beside,requirements.txt) \
	  requirements-gpu.in --output-file requirements-gpu.txt
	@$(COMPILE) $(call beside,requirements.txt) \
	  requirements-ray.in --output-file requirements-ray.txt

parity: environment .parity/done ## our networks against PyTorch's; brings PyTorch, some gigabytes
	@.parity/bin/python -m tests.zoo.parity.timm_outputs
	@$(IN_VENV) python -m pytest -m "slow or not slow" tests/zoo/test_parity.py

.parity/done: tests/zoo/parity/requirements.txt | environment
	@.venv/bin/python -m venv --clear .parity
	@.parity/bin/python -m pip install --quiet -r $<
	@touch $@

environment:
	@sh environment.sh
