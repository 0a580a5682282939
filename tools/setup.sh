#!/bin/sh
# Install the apt packages that are missing: setup.sh GROUP... (build, demo, test, lint, fuzz, bench, peers, profile).
# As root, or through sudo when that asks for no password; otherwise prints the command and exits 1.
set -eu

packages=
for group in "$@"; do
	case $group in
	build) packages="$packages gcc make libc6-dev liburing-dev libjemalloc-dev libpg-query-dev libprotobuf-c-dev libzstd-dev libpcre2-dev libedit-dev libpq-dev systemtap-sdt-dev" ;;
	demo) packages="$packages libsqlite3-dev" ;;
	test) packages="$packages libcmocka-dev libsqlite3-dev postgresql-15 python3 g++ pkg-config valgrind linux-perf" ;;
	bench) packages="$packages libck-dev gnuplot-nox fio linux-perf binutils python3" ;;
	peers) packages="$packages redis-server memcached tarantool postgresql-15 gnuplot-nox python3" ;;
	profile) packages="$packages linux-perf binutils bpftrace systemtap-sdt-dev python3" ;;
	fuzz) packages="$packages clang libclang-rt-14-dev" ;;
	lint) packages="$packages clang-format clang-tidy cppcheck python3 shellcheck" ;;
	*) echo "setup.sh: unknown group $group" >&2; exit 2 ;;
	esac
done

missing=
# shellcheck disable=SC2086
for p in $(printf '%s\n' $packages | sort -u); do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || true)
	case $state in
	ii*) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
	run=
elif sudo -n true 2>/dev/null; then
	run="sudo -n"
else
	echo "These packages are missing. Install them with:" >&2
	echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! $run apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
	$run apt-get update -qq
	$run apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
