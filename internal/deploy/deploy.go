// Package deploy holds no code: its tests hold the files of the scaled
// deployment (Dockerfile, docker-compose.yml, deploy/, the dashboard and the
// alert rules) against what the program expects of them.
package deploy
