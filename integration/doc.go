// Package integration runs ringkv as its users do: Consul, nodes and gateways in containers, from the images that are shipped, with
// clients that speak plain HTTP to published ports. Its tests are questions about the whole, and are behind a build tag:
//
//	make integration
//
// A Cluster has the verbs of an operator (StartNode, KillNode, PauseNode, WaitRing and so on). A Load keeps clients
// reading and writing meanwhile, and notes all they see in a history. Package oracle judges that history.
package integration
