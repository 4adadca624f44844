# syntax=docker/dockerfile:1.7
# One static binary on nothing: no shell, no package manager, no root.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t redalert .
#   docker run --read-only --tmpfs /tmp -v redalert:/var/lib/redalert -p 127.0.0.1:8787:8787 redalert
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/redalert ./cmd/redalert
# What an empty image lacks: a folder for temporary files, one for data that
# our user owns, and the certificates of the public authorities. Time zones are
# in the binary.
RUN install -d -m 1777 /out/tmp && install -d -m 0755 /out/etc/ssl/certs /out/etc/redalert /data/redalert && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && cp LICENSE NOTICE /out/

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Redalert" \
      org.opencontainers.image.description="Find the customers you are about to lose, and win them back" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/ /
COPY --from=build --chown=65532:65532 /data/ /var/lib/
# Found without -c and --data: /etc/redalert/redalert.yaml and /var/lib/redalert.
ENV XDG_CONFIG_HOME=/etc XDG_DATA_HOME=/var/lib
USER 65532:65532
VOLUME ["/var/lib/redalert"]
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=2s --retries=4 \
    CMD ["/redalert", "health"]
ENTRYPOINT ["/redalert"]
CMD ["run", "--listen", "0.0.0.0:8787"]
