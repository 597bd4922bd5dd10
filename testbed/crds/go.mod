module testbed/crds

go 1.26.0

require (
	github.com/traefik/traefik/v3 v3.7.13
	istio.io/api v1.31.4
	sigs.k8s.io/gateway-api v1.5.1
)
