# docker build --build-arg VERSION=v1 --build-arg REVISION="$(git rev-parse HEAD)" -t xcri-proxy .
#
# The image starts from scratch: its files come from this folder and from the image with Go.
# For a reproducible build, name the image with Go by its digest:
# --build-arg GO=docker.io/library/golang@sha256:…
ARG GO=docker.io/library/golang:1.26-bookworm

FROM $GO AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/xcri-proxy cmd/xcri-proxy
COPY cmd/internal cmd/internal
COPY cache cache
COPY config config
COPY proxy proxy
COPY store store
ARG VERSION=(devel)
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /xcri-proxy ./cmd/xcri-proxy && mkdir -m 0700 /state

FROM scratch
ARG VERSION=(devel)
ARG REVISION=unknown
LABEL org.opencontainers.image.title="xcri-proxy" \
	org.opencontainers.image.description="Read-through caching proxy for the XCRI rankings API" \
	org.opencontainers.image.source="https://github.com/lewistv/xcri-proxy" \
	org.opencontainers.image.licenses="MIT" \
	org.opencontainers.image.version="$VERSION" \
	org.opencontainers.image.revision="$REVISION"
# Authorities for an old API behind https, and for DATABASE_TLS=verify.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /xcri-proxy /xcri-proxy
# The saved cache makes the next container start warm, and the ops room keeps its charts.
COPY --from=build --chown=65532:65532 /state /var/lib/xcri-proxy
VOLUME /var/lib/xcri-proxy
USER 65532:65532
# Other containers do not reach a loopback address.
ENV LISTEN_ADDR=:8000 CACHE_FILE=/var/lib/xcri-proxy/cache STATE_FILE=/var/lib/xcri-proxy/state.json HISTORY_FILE=/var/lib/xcri-proxy/history
EXPOSE 8000
# Open requests end before the process does; SHUTDOWN_TIMEOUT must be shorter than the
# time that the container has for its stop.
STOPSIGNAL SIGTERM
# Whether the proxy can serve, not whether the database answers: without the database
# it serves its saved entries.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/xcri-proxy", "health", "--ready", "--quiet"]
ENTRYPOINT ["/xcri-proxy"]
CMD ["serve"]
