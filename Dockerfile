# The service alone, without what trains: docs/serve.md.
#     docker build --build-arg MODEL=models/efficientnet_lite0/export/int8.onnx -t vitoon-serve .

FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /packages
COPY requirements-serve.txt .
RUN python -m venv /venv && \
    /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
      -r requirements-serve.txt

FROM python:3.11.14-slim-bookworm
RUN useradd --system --no-create-home --uid 10001 service
COPY --from=packages /venv /venv
WORKDIR /service
COPY app/__init__.py app/serve.py app/
COPY app/prediction app/prediction
COPY app/serving app/serving
COPY stages/__init__.py stages/errors.py stages/tables.py stages/
COPY stages/exports/__init__.py stages/exports/onnx_session.py stages/exports/
COPY stages/networks/__init__.py stages/networks/onednn.py stages/networks/
COPY stages/params stages/params
COPY stages/pictures stages/pictures
COPY stages/runtime stages/runtime
COPY stages/statistics/__init__.py stages/statistics/choice.py stages/statistics/
ARG MODEL=models/efficientnet_lite0/export/int8.onnx
COPY ${MODEL} model.onnx
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s CMD \
  ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "app.serve", "--host", "0.0.0.0", "--model", "model.onnx"]
