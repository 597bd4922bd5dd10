{{- define "serin.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "serin.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The name differs from the controller's, whose Services and budgets must not choose these pods. */}}
{{- define "serin.dashboardLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}-dashboard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "serin.labels" -}}
{{ include "serin.selectorLabels" . }}
app.kubernetes.io/part-of: serin
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "serin.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "serin.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "serin.leaseName" -}}
argo-rollouts-controller-lock{{ with .Values.controller.instanceId }}-{{ . }}{{ end }}
{{- end -}}

{{/* What the controller may do to the objects that it serves, in the cluster or in one namespace. */}}
{{- define "serin.rules" -}}
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [get, list, watch, patch]
- apiGroups: [argoproj.io]
  resources: [rollouts/status]
  verbs: [patch]
# For owner references that block deletion, where the API server guards them (OwnerReferencesPermissionEnforcement).
- apiGroups: [argoproj.io]
  resources: [rollouts/finalizers, experiments/finalizers]
  verbs: [update]
- apiGroups: [argoproj.io]
  resources: [analysisruns, experiments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [argoproj.io]
  resources: [analysistemplates{{ if not .Values.controller.namespaced }}, clusteranalysistemplates{{ end }}]
  verbs: [list, watch]
# Metrics that a Job measures.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, delete]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch, create, patch, delete]
# Created and deleted for templates of experiments. `get` tells whose a name is that is taken.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# Brakes: ConfigMaps with the label serin.dev/brake; no others are asked for.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch]
# Workloads that spec.workloadRef names, and the size of those that give up their pods.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, patch]
- apiGroups: [""]
  resources: [podtemplates]
  verbs: [list, watch]
# Pods are listed to see why a Job does not start, listed and evicted for spec.restartAt, and patched for canaryMetadata and its like.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, patch]
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- with .Values.rbac.secrets }}
{{- if .read }}
- apiGroups: [""]
  resources: [secrets]
  {{- with .names }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
{{- end }}
{{- end }}
{{- if and .Values.controller.selfServiceNotifications (not .Values.controller.namespaced) }}
# Settings of notifications, of every namespace.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [argo-rollouts-notification-secret]
  verbs: [list]
{{- end }}
{{- $routers := .Values.rbac.routers }}
{{- if $routers.gatewayAPI }}
# What a gateway can do, for mirrors: some answer a rule that they cannot serve with errors.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, gatewayclasses]
  verbs: [list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, grpcroutes, tcproutes, tlsroutes]
  verbs: [list, watch, patch]
{{- end }}
{{- if $routers.istio }}
- apiGroups: [networking.istio.io]
  resources: [virtualservices, destinationrules]
  verbs: [list, watch, patch]
{{- end }}
{{- if $routers.ingress }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch, create, patch, delete]
{{- end }}
{{- if $routers.traefik }}
- apiGroups: [traefik.io]
  resources: [traefikservices]
  verbs: [list, watch, patch]
{{- end }}
{{- if $routers.ambassador }}
- apiGroups: [getambassador.io]
  resources: [mappings]
  verbs: [list, watch, create, patch, delete]
{{- end }}
{{- if $routers.smi }}
- apiGroups: [split.smi-spec.io]
  resources: [trafficsplits]
  verbs: [list, watch, create, patch, delete]
{{- end }}
{{- if $routers.apisix }}
- apiGroups: [apisix.apache.org]
  resources: [apisixroutes]
  verbs: [list, watch, create, patch, delete]
{{- end }}
{{- if $routers.appMesh }}
- apiGroups: [appmesh.k8s.aws]
  resources: [virtualservices]
  verbs: [list, watch]
- apiGroups: [appmesh.k8s.aws]
  resources: [virtualrouters, virtualnodes]
  verbs: [list, watch, patch]
{{- end }}
{{- range $routers.other }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources: {{ toJson .resources }}
  verbs: [list, watch, patch]
{{- end }}
{{- end -}}
