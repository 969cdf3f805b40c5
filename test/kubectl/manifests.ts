/** What the suites of this folder apply. */

/** A definition much like that of AddressPools: defaults, bounds, printer columns, a status subresource, a CEL rule. */
export const poolDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: addresspools.fairlead.dev
spec:
  group: fairlead.dev
  scope: Cluster
  names:
    kind: AddressPool
    plural: addresspools
    shortNames: [pool]
    categories: [fairlead]
  versions:
    - name: v1alpha1
      served: true
      storage: true
      subresources:
        status: {}
      additionalPrinterColumns:
        - { name: Addresses, type: string, jsonPath: .spec.addresses }
        - { name: Accepted, type: string, jsonPath: '.status.conditions[?(@.type=="Accepted")].status' }
        - { name: Routers, type: integer, jsonPath: .spec.virtualRouters, priority: 1 }
        - { name: Age, type: date, jsonPath: .metadata.creationTimestamp }
      schema:
        openAPIV3Schema:
          type: object
          description: AddressPool is a set of addresses for Services.
          required: [spec]
          properties:
            spec:
              type: object
              required: [addresses]
              properties:
                addresses:
                  type: array
                  description: Networks or ranges of addresses.
                  minItems: 1
                  items: { type: string, maxLength: 64 }
                autoAssign: { type: boolean, default: true }
                virtualRouters: { type: integer, minimum: 1, maximum: 64, default: 8 }
              x-kubernetes-validations:
                - rule: self.addresses.size() > 0
            status:
              type: object
              properties:
                conditions:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [type]
                  items:
                    type: object
                    required: [type, status]
                    properties:
                      type: { type: string }
                      status: { type: string, enum: ['True', 'False', Unknown] }
                      reason: { type: string }
                      message: { type: string }
`;

export const pool = (addresses: string): string => `
apiVersion: fairlead.dev/v1alpha1
kind: AddressPool
metadata:
  name: web
spec:
  addresses: ["${addresses}"]
`;

export const service = (ports: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: { app: web }
spec:
  type: LoadBalancer
  selector: { app: web }
  ports: ${ports}
${more}
`;

export const deployment = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: controller
spec:
  replicas: 2
  selector:
    matchLabels: { app: controller }
  template:
    metadata:
      labels: { app: controller }
    spec:
      containers:
        - name: controller
          image: ${image}
          args: [controller]
        - name: sidecar
          image: sidecar:1
`;

export const node = (name: string): string => `
apiVersion: v1
kind: Node
metadata:
  name: ${name}
  labels: { zone: ${name.endsWith('1') ? 'a' : 'b'} }
spec:
  podCIDR: 10.244.1.0/24
status:
  addresses: [{ type: InternalIP, address: 10.77.0.11 }]
  conditions: [{ type: Ready, status: "True", reason: KubeletReady }]
  nodeInfo: { kubeletVersion: v1.35.0, osImage: Debian, kernelVersion: "6.1", containerRuntimeVersion: netns://1 }
`;
