# docker build -t weighbridge .
# docker run -p 8080:8080 -e JWT_SECRET -v ./gateway.yaml:/etc/weighbridge/gateway.yaml:ro -v weighbridge:/data weighbridge
#
# Inside, listen on all addresses (listen: 0.0.0.0:8080) and keep the journal in the volume
# (ledger: sqlite:////data/ledger.db; a relative path is there too, since /data is the working directory).

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/build && python -m venv --without-pip /opt/weighbridge
COPY requirements.lock requirements-build.lock ./
RUN /opt/build/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements-build.lock \
    && /opt/build/bin/python -m pip --python /opt/weighbridge/bin/python install --no-cache-dir --no-compile \
        --only-binary :all: --require-hashes --requirement requirements.lock
COPY admin_ui admin_ui
RUN python admin_ui/libraries.py
COPY pyproject.toml README.md LICENSE gateway.yaml ./
COPY config config
COPY gateway gateway
RUN /opt/build/bin/python -m build --no-isolation --wheel --outdir /src/dist \
    && /opt/build/bin/python -m pip --python /opt/weighbridge/bin/python install --no-cache-dir --no-compile --no-deps dist/*.whl \
    && /opt/weighbridge/bin/python -m compileall -q /opt/weighbridge/lib

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home weighbridge \
    && install --directory --owner=weighbridge --group=weighbridge /data
COPY --from=build /opt/weighbridge /opt/weighbridge
ENV PATH=/opt/weighbridge/bin:$PATH PYTHONUNBUFFERED=1
USER weighbridge
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["weighbridge", "health", "--url", "http://127.0.0.1:8080/-/health/live"]
ENTRYPOINT ["weighbridge"]
CMD ["serve", "--config", "/etc/weighbridge/gateway.yaml"]
