// The images of Slipway, built by Docker, from the repository's root:
//   REGISTRY=registry.example.com TAG=0.1.0 docker buildx bake -f images/docker-bake.hcl
variable "REGISTRY" { default = "registry.example.com" }
variable "TAG" { default = "latest" }
// The same sources make the same bytes. For a release: the time of its commit.
variable "SOURCE_DATE_EPOCH" { default = "1767225600" }

group "default" { targets = ["slipway-operator", "slipway-builder"] }

target "slipway" {
  name       = "slipway-${image}"
  matrix     = { image = ["operator", "builder"] }
  context    = "."
  dockerfile = "images/Dockerfile"
  target     = image
  platforms  = ["linux/amd64", "linux/arm64"]
  args       = { SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH }
  output     = ["type=image,name=${REGISTRY}/slipway-${image}:${TAG},push=true,rewrite-timestamp=true"]
}
