# repository fossology+fossology
# tool apt
FROM tools:tools
WORKDIR /fossology
RUN DEBIAN_FRONTEND=noninteractive apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git lsb-release php-cli sudo cmake ninja-build && rm -rf /var/lib/apt/lists/*
COPY ./utils/fo-installdeps ./utils/fo-installdeps
COPY ./install/fo-install-pythondeps ./install/fo-install-pythondeps
COPY . .
RUN mkdir -p /fossology/dependencies-for-runtime && cp -R /fossology/src /fossology/utils /fossology/dependencies-for-runtime/
