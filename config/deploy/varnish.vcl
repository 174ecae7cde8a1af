# Varnish in front of xcri-proxy, which purges it by tag when answers change.
#
# Varnish 6.0 or later with varnish-modules, whose module xkey keeps the tags. Start it
# with "varnishd -f /etc/varnish/xcri-proxy.vcl -a :6081 -s malloc,256m". In the settings of
# the proxy:
#
#   CACHE_TAGS=xkey
#   CDN_MAX_AGE=24h
#   CDN_STALE_IF_ERROR=24h
#   PURGE_URLS=http://127.0.0.1:6081/
vcl 4.1;

import std;
import xkey;

backend default {
	.host = "127.0.0.1";
	.port = "8000";
	.connect_timeout = 3s;
	# Longer than WAIT_TIMEOUT and LEGACY_TIMEOUT, so that the proxy answers first.
	.first_byte_timeout = 30s;
	.probe = { .url = "/livez"; .interval = 1s; .timeout = 1s; .window = 3; .threshold = 2; .initial = 2; }
}

# The addresses of the proxies: they, and no other client, may purge.
acl proxies {
	"127.0.0.1";
	"::1";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (client.ip !~ proxies || req.http.X-Forwarded-For ~ ",") {
			return (synth(403, "Forbidden"));
		}
		if (!req.http.xkey-purge) {
			return (synth(400, "No tags"));
		}
		set req.http.xkey-purged = xkey.purge(req.http.xkey-purge);
		return (synth(200, "Purged " + req.http.xkey-purged));
	}
	# The admin pages are for operators on the machine of the proxy.
	if (req.url ~ "(?i)^/+(iz/xcri/+)?(api/+)?(cache|metrics)([/;?]|$)") {
		return (synth(403, "Forbidden"));
	}
	# No answer depends on a cookie.
	unset req.http.Cookie;
	# Copies past their age are for the time in which the proxy fails.
	if (std.healthy(req.backend_hint)) {
		set req.grace = 0s;
	}
}

sub vcl_backend_response {
	if (beresp.http.CDN-Cache-Control ~ "no-store") {
		# A stale answer, which the proxy is refreshing. The next request asks again.
		set beresp.uncacheable = true;
		set beresp.ttl = 1s;
		return (deliver);
	}
	if (beresp.http.CDN-Cache-Control ~ "max-age=[0-9]") {
		set beresp.ttl = std.duration(regsub(beresp.http.CDN-Cache-Control, "^.*max-age=([0-9]+).*$", "\1s"), 0s);
		set beresp.grace = 0s;
		if (beresp.http.CDN-Cache-Control ~ "stale-if-error=[0-9]") {
			set beresp.grace = std.duration(regsub(beresp.http.CDN-Cache-Control, "^.*stale-if-error=([0-9]+).*$", "\1s"), 0s);
		}
		return (deliver);
	}
	# All other answers follow Cache-Control, in Varnish's built-in way.
}

sub vcl_deliver {
	unset resp.http.xkey;
	unset resp.http.CDN-Cache-Control;
	unset resp.http.Via;
	unset resp.http.X-Varnish;
	if (obj.hits > 0) {
		# These are about the request that filled the copy.
		unset resp.http.Server-Timing;
		unset resp.http.X-Request-Id;
		set resp.http.Cache-Status = "varnish; hit";
	}
}
