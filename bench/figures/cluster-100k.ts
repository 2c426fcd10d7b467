import { clusterFigure } from '../cluster/cluster-figure.ts'

export const figure = clusterFigure({
  name: 'cluster-100k',
  description:
    '100,000 instances of 100 apps on 1,000 simulated nodes, from the first call until all are ready at the API',
  ...{ nodes: 1_000, apps: 100, replicas: 1_000, targetSeconds: 60 },
})
