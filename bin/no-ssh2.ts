/** Stands in for ssh2 in the executable: the Docker client can tunnel over SSH with it, which Berth never asks for. */
export class Client {
  constructor() {
    throw new Error('Docker over SSH is not part of this program')
  }
}
