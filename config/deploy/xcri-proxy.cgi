#!/bin/sh
# Passes a request to xcri-proxy and its answer back, on a host whose Apache has
# no mod_proxy. See htaccess.

# LISTEN_ADDR of the proxy; of a Unix socket the path alone.
proxy=127.0.0.1:8000
cr=$(printf '\r')
PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C
export PATH LC_ALL

# say answers by itself: status, content type, and the body from standard input.
say() {
	printf 'Status: %s\r\nContent-Type: %s\r\nRetry-After: 30\r\nCache-Control: no-store\r\n\r\n' "$1" "$2"
	cat
}

away() {
	case $REQUEST_URI in
	/iz/xcri/api | /iz/xcri/api[/?]*) ;;
	*) [ -r down.html ] && say '503 Service Unavailable' 'text/html; charset=utf-8' <down.html && return ;;
	esac
	echo '{"detail":"The service is not available right now. Please try again shortly."}' |
		say '503 Service Unavailable' application/json
}

case $REQUEST_URI in
/iz/xcri | /iz/xcri[/?]*) ;;
*)
	echo '{"detail":"Not Found"}' | say '404 Not Found' application/json
	exit
	;;
esac

# No settings of the account, no other proxy, no globs, the path unchanged;
# HTTP 1.0, because chunked bodies would have to be decoded here.
set -- -q --silent --include --globoff --path-as-is --noproxy '*' --http1.0 --connect-timeout 3 --max-time 30
case $proxy in
/*) set -- "$@" --unix-socket "$proxy" && proxy=localhost ;;
esac
case $REQUEST_METHOD in
GET) ;;
HEAD) set -- "$@" --head ;;
*) set -- "$@" --request "$REQUEST_METHOD" --data-binary @- ;;
esac

# A header without a value is not sent. X-Forwarded-For keeps the admin pages
# closed, and lets the old API distinguish its visitors.
curl "$@" \
	--header "X-Forwarded-For: $REMOTE_ADDR" \
	--header "X-Forwarded-Host: $HTTP_HOST" \
	--header "X-Forwarded-Proto: ${REQUEST_SCHEME:-http}" \
	--header "Accept: $HTTP_ACCEPT" \
	--header "Accept-Encoding: $HTTP_ACCEPT_ENCODING" \
	--header "Accept-Language: $HTTP_ACCEPT_LANGUAGE" \
	--header "Access-Control-Request-Headers: $HTTP_ACCESS_CONTROL_REQUEST_HEADERS" \
	--header "Access-Control-Request-Method: $HTTP_ACCESS_CONTROL_REQUEST_METHOD" \
	--header "Content-Type: $CONTENT_TYPE" \
	--header "If-Modified-Since: $HTTP_IF_MODIFIED_SINCE" \
	--header "If-None-Match: $HTTP_IF_NONE_MATCH" \
	--header "Origin: $HTTP_ORIGIN" \
	--header "Referer: $HTTP_REFERER" \
	--header "User-Agent: $HTTP_USER_AGENT" \
	"http://$proxy$REQUEST_URI" | {
	read -r _ status _ || {
		away
		exit
	}
	printf 'Status: %s\r\n' "${status%"$cr"}"
	while IFS= read -r line; do
		case $line in
		[Cc]onnection:*) continue ;;
		esac
		printf '%s\n' "$line"
		[ "$line" = "$cr" ] && break
	done
	exec cat
}
