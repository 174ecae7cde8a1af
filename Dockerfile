# syntax=docker/dockerfile:1
FROM golang:1.26-bookworm AS build
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
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /xcri-proxy ./cmd/xcri-proxy

# distroless/static has certificates, time zones and an account that is not
# root, and nothing else.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /xcri-proxy /xcri-proxy
# In a container no client reaches the loopback address.
ENV LISTEN_ADDR=:8000
EXPOSE 8000
# The check ignores the database: without it the proxy serves its cached answers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/xcri-proxy", "health", "--ready", "--quiet"]
ENTRYPOINT ["/xcri-proxy"]
CMD ["serve"]
