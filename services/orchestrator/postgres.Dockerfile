# PostgreSQL for those who want the run database there; the compose profile `postgres` starts it.
# Debian's package, so that nothing comes from further registries.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-15 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-log-init --no-create-home --home-dir /tmp cosim \
 && install --directory --owner cosim --group cosim --mode 700 /data /keys
COPY --chmod=755 services/orchestrator/postgres-start.sh /usr/local/bin/postgres-start
ENV PATH=/usr/lib/postgresql/15/bin:$PATH \
    PGDATA=/data/main \
    PGHOST=/tmp
USER cosim
WORKDIR /
EXPOSE 5432
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["pg_isready", "--quiet", "--host", "127.0.0.1"]
ENTRYPOINT ["postgres-start"]
