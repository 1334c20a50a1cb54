variable "TAG" { default = "1.2" }
variable "LIST" {
  type    = list(string)
  default = ["a", "b"]
  validation {
    condition     = length(LIST) > 1
    error_message = "two"
  }
}
COMMON = "common-${TAG}"
function "tagged" {
  params          = [name]
  variadic_params = more
  result          = join(":", concat([name], more, [TAG]))
}
group "default" { targets = ["grid", "app"] }
target "base" {
  args = { A = "base", KEEP = COMMON, GONE = null }
  contexts = { one = "docker-image://alpine:3" }
}
target "app" {
  inherits   = ["base", "late"]
  dockerfile = "./Dockerfile"
  target     = upper("prod")
  args = {
    A    = tagged("x", "y", "z")
    REF  = target.base.args.KEEP
    LOOP = join(",", [for i, v in LIST : "${i}=${v}" if v != "c"])
    COND = equal(TAG, "1.2") ? "yes" : "no"
    SUM  = 1 + 2 * 3
    FMT  = format("%s-%02d", TAG, 7)
    RE   = regex_replace("v1.2.3", "[^0-9]", "_")
    DIR  = BAKE_CMD_CONTEXT == "" ? "none" : "some"
    DEF  = try(NOTHING, "fallback")
    IF   = "%{ if TAG == "1.2" }new%{ else }old%{ endif }"
  }
  contexts = { two = "target:base", here = "." }
}
target "late" { args = { A = "late", LATE = "yes" } }
target "grid" {
  name   = "grid-${item.name}-${replace(v, ".", "-")}"
  matrix = {
    v    = ["1.0", "2.0"]
    item = [{ name = "x", stage = "sx" }, { name = "y", stage = "sy" }]
  }
  target    = item.stage
  args      = { V = v }
  platforms = v == "1.0" ? ["linux/arm64"] : null
}
target "inline" {
  dockerfile-inline = <<EOT
FROM scratch
LABEL tag=${TAG}
EOT
}
