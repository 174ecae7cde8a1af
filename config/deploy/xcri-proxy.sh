#!/bin/sh
# Runs xcri-proxy on a host without systemd. Everything is in the folder of this
# script: the binary xcri-proxy or a link to it, its settings xcri-proxy.env, and the
# files that they make: xcri-proxy.pid, xcri-proxy.log (the last 10 MB, and in .1 the
# 10 MB before), cache and state.json.
#
#   xcri-proxy.sh start          start it, unless it runs
#   xcri-proxy.sh keep           the same, unless it was stopped by hand: for cron,
#                                see crontab
#   xcri-proxy.sh stop           let answers under way finish, then end it
#   xcri-proxy.sh restart        stop, then start: clients are refused in between
#   xcri-proxy.sh upgrade [NEW]  put the binary NEW in place, if given, and hand
#                                over to it without refusing a client; the binary
#                                before stays as xcri-proxy.old
#   xcri-proxy.sh status         exit status 0 healthy, 1 not healthy, 3 not running
#   xcri-proxy.sh log            follow the log

set -u
home=$(cd "$(dirname "$(readlink -f "$0")")" && pwd -P) || exit 1
bin=$home/xcri-proxy
log=$home/xcri-proxy.log
pidfile=$home/xcri-proxy.pid
stopped=$home/xcri-proxy.stopped # is there after a stop by hand
max_log=10000000

# Flags and the environment win over the settings' file.
ENV_FILE=$home/xcri-proxy.env PID_FILE=$pidfile
CACHE_FILE=${CACHE_FILE:-$home/cache} STATE_FILE=${STATE_FILE:-$home/state.json}
HISTORY_FILE=${HISTORY_FILE:-$home/history}
export ENV_FILE PID_FILE CACHE_FILE STATE_FILE HISTORY_FILE

fail() {
	echo "xcri-proxy: $*" >&2
	exit 1
}

# running prints the process ID if our proxy runs. It ignores a number that belongs to
# another process, or to a command such as warm. Our
# proxy is the program at $bin, or behind the link there, or was started with our
# PID_FILE: a link may lead to another version by now.
running() {
	[ -r "$pidfile" ] && read -r pid <"$pidfile" || return 1
	case $pid in
	'' | *[!0-9]*) return 1 ;;
	esac
	tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qx serve || return 1
	case $(readlink "/proc/$pid/exe" 2>/dev/null) in
	"$bin" | "$bin (deleted)" | "$(readlink -f "$bin")") ;;
	*) tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "PID_FILE=$pidfile" || return 1 ;;
	esac
	echo "$pid"
}

# within SECONDS COMMAND… runs the command every tenth of a second until it succeeds.
within() {
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

gone() { ! kill -0 "$1" 2>/dev/null; }
replaced() { next=$(running) && [ "$next" != "$1" ]; }
served() { running >/dev/null || gone "$1"; }
healthy() { "$bin" health --quiet 2>/dev/null; }

# shorten keeps the log's size bounded without a copy, which a full disk has no room
# for: the log is renamed, and at SIGUSR1 the proxy opens a new file. An earlier
# version without this signal continues in .1, which is then emptied.
shorten() {
	if [ -f "$log.1" ] && [ "$(wc -c <"$log.1")" -gt $((2 * max_log)) ]; then
		: >"$log.1"
	fi
	[ -f "$log" ] && [ "$(wc -c <"$log")" -gt "$max_log" ] || return 0
	mv -f "$log" "$log.1"
	pid=$(running) && kill -USR1 "$pid"
	return 0
}

start() {
	rm -f "$stopped"
	shorten
	if pid=$(running); then
		echo "already running, process $pid"
		return
	fi
	[ -x "$bin" ] || fail "$bin is missing, or not executable"
	"$bin" config >/dev/null || exit 1
	# In a session of its own, so that it outlives the terminal.
	if command -v setsid >/dev/null; then
		setsid "$bin" serve >>"$log" 2>&1 </dev/null &
	else
		nohup "$bin" serve >>"$log" 2>&1 </dev/null &
	fi
	child=$!
	within 10 served "$child"
	pid=$(running) || {
		tail -n 5 "$log" >&2
		fail "it did not start, see $log"
	}
	echo "started, process $pid"
}

keep() { [ -e "$stopped" ] || start; }

stop() {
	: >"$stopped"
	pid=$(running) || {
		echo "not running"
		return
	}
	while [ -n "$pid" ]; do
		kill -TERM "$pid"
		within 20 gone "$pid" || {
			# A second signal ends it immediately.
			kill -TERM "$pid" 2>/dev/null
			within 10 gone "$pid" || fail "process $pid does not end"
		}
		pid=$(running) # a successor that has just taken over
	done
	echo "stopped"
}

# put replaces the binary in one step, after a check that the new binary runs here
# and accepts the settings.
put() {
	cp "$1" "$bin.new" || fail "cannot copy $1"
	chmod 755 "$bin.new"
	"$bin.new" config >/dev/null || {
		rm -f "$bin.new"
		fail "$1 does not run here, or refuses the settings; nothing was changed"
	}
	ln -f "$bin" "$bin.old" 2>/dev/null
	mv -f "$bin.new" "$bin"
}

upgrade() {
	[ $# -eq 0 ] || put "$1"
	pid=$(running) || {
		start
		return
	}
	kill -HUP "$pid"
	# The new process puts its number in the file once it serves.
	within 40 replaced "$pid" || {
		tail -n 5 "$log" >&2
		fail "nothing took the place of process $pid, see $log"
	}
	echo "process $next took the place of $pid"
}

status() {
	pid=$(running) || {
		echo "not running"
		exit 3
	}
	healthy || {
		echo "running, process $pid, but not healthy: $("$bin" health 2>&1)"
		exit 1
	}
	echo "running, process $pid, healthy"
}

command=${1-}
[ $# -eq 0 ] || shift
case $command in
start) start ;;
keep) keep ;;
stop) stop ;;
restart) stop && start ;;
upgrade) upgrade "$@" ;;
status) status ;;
log) exec tail -n 50 -f "$log" ;;
*)
	echo "usage: $0 start|keep|stop|restart|upgrade [NEW]|status|log" >&2
	exit 2
	;;
esac
