//go:build tools

// Package argo pins Argo Rollouts, whose stock programs the end-to-end tests run beside Serin.
// It is a module of its own, so that its requirements never move a version that the Kubernetes components use. The
// imported package needs no other module: testbed/argo/build builds the programs by Argo Rollouts' own go.mod and
// go.sum.
package argo

import _ "github.com/argoproj/argo-rollouts/utils/version"
