# docker build -t qas-envs . && docker run --rm -v "$PWD/runs:/work/runs" qas-envs qas-train training.total_timesteps=2000
FROM python:3.11-slim
WORKDIR /src
COPY . .
# PyTorch's CPU build first: the default one downloads gigabytes of CUDA
RUN pip install --no-cache-dir torch -c constraints.txt --index-url https://download.pytorch.org/whl/cpu \
    --extra-index-url https://pypi.org/simple \
 && pip install --no-cache-dir ".[experiments,devices]" -c constraints.txt
WORKDIR /work
ENV OMP_NUM_THREADS=1 QAS_ENVS_CACHE_DIR=/var/cache/qas-envs
RUN qas-envs check
CMD ["qas-train", "--help"]
