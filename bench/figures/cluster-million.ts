import { clusterFigure } from '../cluster/cluster-figure.ts'

export const figure = clusterFigure({
  name: 'cluster-million',
  description:
    '1,000,000 instances of 1,000 apps on 5,000 simulated nodes, from the first call until all are ready at the API',
  ...{ nodes: 5_000, apps: 1_000, replicas: 1_000, targetSeconds: 300 },
})
